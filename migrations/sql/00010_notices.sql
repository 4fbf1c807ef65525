-- +goose Up

-- What somebody should hear of, written by the decision that made it so, in the same
-- transaction. Whoever delivers notices reads them from here.
CREATE TABLE notices (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id         bigint      NOT NULL,
    kind            text        NOT NULL CHECK (kind <> ''),
    user_id         text        NOT NULL DEFAULT '', -- whom it concerns; '': those who manage the team, or the account's user
    at              timestamptz NOT NULL,
    data            jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX notices_book ON notices (book_id, id);
