-- +goose Up

-- Who looks at the hosted page. A session begins as a link that opens it once; from then
-- on a cookie does. Only hashes of both are kept, and what the page has still to tell is
-- sealed with the cookie, so that a copy of this table opens and tells nothing.
CREATE TABLE page_sessions (
    id              text        PRIMARY KEY,
    user_id         text        NOT NULL REFERENCES users (id), -- who acts
    team_id         text        REFERENCES teams (id),          -- the only team to be seen; null: the user's own page
    -- Since when the user is in that team: who left and came back is another member.
    joined_at       timestamptz,
    link_hash       bytea       NOT NULL UNIQUE,
    link_ends_at    timestamptz NOT NULL,
    return_url      text        NOT NULL CHECK (return_url <> ''),
    locale          text        NOT NULL,
    time_zone       text        NOT NULL,
    created_at      timestamptz NOT NULL,
    opened_at       timestamptz,
    cookie_hash     bytea       UNIQUE,
    ends_at         timestamptz NOT NULL, -- of the link until it is opened, then of the session
    note            bytea,
    CHECK ((opened_at IS NULL) = (cookie_hash IS NULL)),
    CHECK ((team_id IS NULL) = (joined_at IS NULL))
);
CREATE INDEX page_sessions_end ON page_sessions (ends_at);
