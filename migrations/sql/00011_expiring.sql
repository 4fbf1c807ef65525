-- +goose Up

-- Lots that end by themselves, in the order of their ends: who tells of ends to come asks
-- for a span of them. Most lots end with a turn and stand in no such index.
CREATE INDEX lots_ends ON lots (expires_at, book_id) WHERE series = '' AND expires_at IS NOT NULL;

-- How far the telling of ends to come has got, for each number of days before the end:
-- all ends up to this one, in the order of (ends_at, book_id), are told.
CREATE TABLE expiry_cursors (
    days            int         PRIMARY KEY CHECK (days > 0),
    ends_at         timestamptz NOT NULL,
    book_id         bigint      NOT NULL
);

-- A plain member's own notices of a team that has many.
CREATE INDEX notices_user ON notices (book_id, user_id, id) WHERE user_id <> '';
