-- +goose Up

ALTER TABLE users ADD COLUMN suspended_at timestamptz;
ALTER TABLE teams ADD COLUMN suspended_at timestamptz;
ALTER TABLE teams ADD COLUMN closed_at timestamptz;
-- T7: whether a member who is out of credits falls back to personal by itself.
ALTER TABLE teams ADD COLUMN fall_back boolean NOT NULL DEFAULT false;

CREATE TABLE members (
    team_id         text        NOT NULL REFERENCES teams (id),
    user_id         text        NOT NULL REFERENCES users (id),
    role            text        NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    access          text        NOT NULL CHECK (access IN ('seat', 'credits', 'personal')),
    -- The type that an admin gave last: a member who went personal may go back to it.
    access_given    text        NOT NULL CHECK (access_given IN ('seat', 'credits', 'personal')),
    -- Who made the member personal, while personal: only who did so by choice or by
    -- falling back may go back alone.
    personal_by     text        NOT NULL DEFAULT '' CHECK (personal_by IN ('', 'self', 'fallback', 'admin', 'seats', 'unassigned')),
    limit_kind      text        NOT NULL DEFAULT 'none' CHECK (limit_kind IN ('none', 'period', 'total')),
    limit_credits   bigint      NOT NULL DEFAULT 0 CHECK (limit_credits BETWEEN 0 AND 1000000000000),
    seat_at         timestamptz, -- since when a seat is assigned
    joined_at       timestamptz NOT NULL,
    PRIMARY KEY (team_id, user_id),
    CHECK ((access = 'seat') = (seat_at IS NOT NULL)),
    CHECK ((access = 'personal') = (personal_by <> '')),
    CHECK (limit_kind <> 'none' OR limit_credits = 0)
);
CREATE INDEX members_user ON members (user_id);
CREATE UNIQUE INDEX members_one_owner ON members (team_id) WHERE role = 'owner';

INSERT INTO members (team_id, user_id, role, access, access_given, joined_at)
SELECT id, owner_id, 'owner', 'credits', 'credits', created_at FROM teams;

CREATE TABLE invitations (
    id              text        PRIMARY KEY,
    team_id         text        NOT NULL REFERENCES teams (id),
    email           text        NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    role            text        NOT NULL CHECK (role IN ('admin', 'member')),
    access          text        NOT NULL CHECK (access IN ('seat', 'credits', 'personal')),
    limit_kind      text        NOT NULL DEFAULT 'none' CHECK (limit_kind IN ('none', 'period', 'total')),
    limit_credits   bigint      NOT NULL DEFAULT 0 CHECK (limit_credits BETWEEN 0 AND 1000000000000),
    token_hash      bytea       NOT NULL UNIQUE,
    state           text        NOT NULL CHECK (state IN ('pending', 'accepted', 'declined', 'revoked')),
    invited_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    settled_at      timestamptz,
    user_id         text        NOT NULL DEFAULT '', -- who accepted
    CHECK ((state = 'pending') = (settled_at IS NULL))
);
-- An expired invitation is still 'pending' until somebody looks; a new one replaces it.
CREATE UNIQUE INDEX invitations_open ON invitations (team_id, lower(email)) WHERE state = 'pending';
CREATE INDEX invitations_email ON invitations (lower(email)) WHERE state = 'pending';

-- Keys of writes that post nothing to the ledger (L6): remembered for 30 days.
CREATE TABLE request_keys (
    book_id         bigint      NOT NULL,
    key             text        NOT NULL CHECK (key <> ''),
    request_hash    bytea       NOT NULL,
    answer          jsonb       NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (book_id, key)
);
CREATE INDEX request_keys_age ON request_keys (created_at);

CREATE TABLE api_keys (
    id              text        PRIMARY KEY,
    name            text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    secret_hash     bytea       NOT NULL UNIQUE,
    scopes          text[]      NOT NULL CHECK (scopes <@ ARRAY['spend', 'read', 'manage', 'operate'] AND cardinality(scopes) > 0),
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz,
    revoked_at      timestamptz
);

-- What was held when its subscription went to another book: once the hold settles, what it
-- gives back follows to where the subscription is then (T13).
CREATE TABLE held_back (
    book_id         bigint      NOT NULL REFERENCES books (id),
    lot_id          bigint      NOT NULL,
    subscription_id text        NOT NULL REFERENCES subscriptions (id),
    PRIMARY KEY (book_id, lot_id)
);

-- What a spend's first answer said beside its postings, so that a repeated key gets it again.
ALTER TABLE entries ADD COLUMN answer jsonb;

-- What each holder drew from the main account, spent or held and not given back: by the
-- window in which it was drawn, and in all (window '0001-01-01'). Limits are held
-- against it.
CREATE TABLE drawn (
    book_id         bigint      NOT NULL REFERENCES books (id),
    holder_id       text        NOT NULL,
    window_start    timestamptz NOT NULL,
    credits         bigint      NOT NULL,
    PRIMARY KEY (book_id, holder_id, window_start)
) WITH (fillfactor = 70);

INSERT INTO drawn (book_id, holder_id, window_start, credits)
SELECT book_id, holder_id, '0001-01-01 00:00:00+00', sum(credits) FROM (
    SELECT e.book_id, e.holder_id, CASE WHEN p.to_account = 2 THEN p.credits ELSE -p.credits END AS credits
    FROM entries e JOIN postings p ON p.book_id = e.book_id AND p.entry = e.sequence
    WHERE e.kind IN ('spend', 'capture', 'reversal') AND 7 IN (p.from_account, p.to_account) AND 2 IN (p.from_account, p.to_account)
    UNION ALL
    SELECT h.book_id, h.holder_id, d.credits
    FROM holds h JOIN hold_draws d ON d.book_id = h.book_id AND d.hold_id = h.id
    WHERE h.state = 'open' AND d.account_id = 7) drew
GROUP BY book_id, holder_id;
