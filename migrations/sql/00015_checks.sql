-- +goose Up

-- In the order in which whoever writes takes them, so that nobody waits for us while we wait
-- for them.
LOCK TABLE books, entries, lots, postings, holds, hold_draws IN ACCESS EXCLUSIVE MODE;

-- What a spend or a hold writes refers to what is never removed and never gets another key:
-- entries are only ever appended, and books, lots and holds can't be removed from here on.
-- So nothing has to be locked, and whether what new rows refer to is there is asked once for
-- all rows of a statement. A foreign key asks for each row, and writes a lock of the row that
-- it found to the log: that was a sixth of what a hold and its capture cost PostgreSQL. The
-- code of the error is a foreign key's.
--
-- OFFSET 0 has each row looked up by itself: a join may read the whole history.
-- +goose StatementBegin
CREATE FUNCTION entries_belong_to_books() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        WHERE NOT EXISTS (SELECT FROM books b WHERE b.id = w.book_id OFFSET 0)) THEN
        RAISE EXCEPTION 'an entry belongs to a book that is not there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION postings_belong_to_entries_and_lots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        WHERE NOT EXISTS (SELECT FROM entries e WHERE e.book_id = w.book_id AND e.sequence = w.entry OFFSET 0)
           OR NOT EXISTS (SELECT FROM lots l WHERE l.book_id = w.book_id AND l.id = w.lot_id OFFSET 0)) THEN
        RAISE EXCEPTION 'a posting belongs to an entry or a lot that is not there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION holds_belong_to_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        WHERE NOT EXISTS (SELECT FROM entries e WHERE e.book_id = w.book_id AND e.sequence = w.id OFFSET 0)) THEN
        RAISE EXCEPTION 'a hold belongs to an entry that is not there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION hold_draws_belong_to_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        WHERE NOT EXISTS (SELECT FROM holds h WHERE h.book_id = w.book_id AND h.id = w.hold_id OFFSET 0)) THEN
        RAISE EXCEPTION 'what is kept belongs to a hold that is not there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER entries_belong AFTER INSERT ON entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION entries_belong_to_books();
CREATE TRIGGER postings_belong AFTER INSERT ON postings
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION postings_belong_to_entries_and_lots();
CREATE TRIGGER holds_belong AFTER INSERT ON holds
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION holds_belong_to_entries();
CREATE TRIGGER hold_draws_belong AFTER INSERT ON hold_draws
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION hold_draws_belong_to_holds();

-- +goose StatementBegin
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are never removed and keep their keys: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER books_stay BEFORE DELETE OR UPDATE OF id ON books FOR EACH ROW EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER lots_stay BEFORE DELETE OR UPDATE OF book_id, id ON lots FOR EACH ROW EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER holds_stay BEFORE DELETE OR UPDATE OF book_id, id ON holds FOR EACH ROW EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER books_no_truncate BEFORE TRUNCATE ON books FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER lots_no_truncate BEFORE TRUNCATE ON lots FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER holds_no_truncate BEFORE TRUNCATE ON holds FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

ALTER TABLE entries DROP CONSTRAINT entries_book_id_fkey;
ALTER TABLE postings DROP CONSTRAINT postings_book_id_entry_fkey;
ALTER TABLE postings DROP CONSTRAINT postings_book_id_lot_id_fkey;
ALTER TABLE holds DROP CONSTRAINT holds_book_id_id_fkey;
ALTER TABLE hold_draws DROP CONSTRAINT hold_draws_book_id_hold_id_fkey;
