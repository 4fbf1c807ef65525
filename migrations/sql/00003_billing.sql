-- +goose Up

-- Whose Stripe customer it is. A customer belongs to one user for good; book_id is
-- that user's personal book.
CREATE TABLE customers (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 255),
    user_id         text        NOT NULL CHECK (user_id <> ''),
    book_id         bigint      NOT NULL,
    -- Credits still owed by a period that was cut when its subscription was cancelled
    -- and money was given back: set off against the customer's next first grant.
    owed            bigint      NOT NULL DEFAULT 0 CHECK (owed >= 0),
    linked_by       text        NOT NULL,
    linked_at       timestamptz NOT NULL,
    deleted_at      timestamptz
);
CREATE INDEX customers_user ON customers (user_id);

-- Subscriptions as they were last fetched. facts is what Stripe said, in our words;
-- the rest is what we made of it.
CREATE TABLE subscriptions (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 255),
    customer_id     text        NOT NULL,
    status          text        NOT NULL,
    -- placed: it lives in a book. unmatched: its customer is unknown. unmapped: it is
    -- placed, but no price of it is in the catalogue.
    state           text        NOT NULL CHECK (state IN ('placed', 'unmatched', 'unmapped')),
    reason          text        NOT NULL DEFAULT '',
    book_id         bigint,
    team_id         text        NOT NULL DEFAULT '', -- '' while on its owner's personal account
    facts           jsonb       NOT NULL,
    -- Lines of paid invoices, the newest last: what was paid, for which time.
    paid            jsonb       NOT NULL DEFAULT '[]',
    owed            bigint      NOT NULL DEFAULT 0 CHECK (owed >= 0), -- carried to the next grant
    -- Nothing falls due for it before this instant. It may be early, never late.
    due_at          timestamptz,
    created_at      timestamptz NOT NULL,
    fetched_at      timestamptz NOT NULL,
    CHECK ((state = 'unmatched') = (book_id IS NULL))
);
CREATE INDEX subscriptions_book ON subscriptions (book_id) WHERE book_id IS NOT NULL;
CREATE INDEX subscriptions_customer ON subscriptions (customer_id);
CREATE INDEX subscriptions_due ON subscriptions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX subscriptions_state ON subscriptions (state) WHERE state <> 'placed';
-- B13: one subscription a team. One that has ended may stay beside its successor.
CREATE UNIQUE INDEX subscriptions_one_per_team ON subscriptions (team_id)
    WHERE team_id <> '' AND status NOT IN ('canceled', 'incomplete_expired');

-- A period is a credit month of one subscription, numbered in order. It keeps the
-- figures it was granted by.
CREATE TABLE periods (
    subscription_id text        NOT NULL REFERENCES subscriptions (id),
    number          bigint      NOT NULL CHECK (number >= 1),
    start_at        timestamptz NOT NULL,
    end_at          timestamptz NOT NULL,
    full_end_at     timestamptz NOT NULL, -- where it would have ended, had it not been cut
    trial           boolean     NOT NULL DEFAULT false,
    figures         jsonb       NOT NULL,
    seats           bigint      NOT NULL DEFAULT 0,
    target          bigint      NOT NULL DEFAULT 0 CHECK (target >= 0),
    owed            bigint      NOT NULL DEFAULT 0 CHECK (owed >= 0),
    granted         bigint      NOT NULL DEFAULT 0 CHECK (granted >= 0),
    taken_back      bigint      NOT NULL DEFAULT 0 CHECK (taken_back BETWEEN 0 AND granted),
    grants          int         NOT NULL DEFAULT 0,
    take_backs      int         NOT NULL DEFAULT 0,
    lot_origin      text        NOT NULL DEFAULT '',
    granted_at      timestamptz,
    cut_at          timestamptz,
    turned_at       timestamptz,
    -- What its turn went by, for what comes back later and joins it (L8).
    turn_rule       jsonb,
    turn_seats      bigint      NOT NULL DEFAULT 0,
    rolled          bigint      NOT NULL DEFAULT 0 CHECK (rolled >= 0),
    PRIMARY KEY (subscription_id, number),
    CHECK (end_at >= start_at AND full_end_at >= end_at),
    CHECK (granted = 0 OR granted_at IS NOT NULL)
);

CREATE TABLE invoices (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 255),
    subscription_id text        NOT NULL DEFAULT '',
    customer_id     text        NOT NULL DEFAULT '',
    status          text        NOT NULL,
    facts           jsonb       NOT NULL,
    created_at      timestamptz NOT NULL,
    fetched_at      timestamptz NOT NULL
);
CREATE INDEX invoices_subscription ON invoices (subscription_id, created_at) WHERE subscription_id <> '';

-- A pack somebody is buying or has bought. The row is written before Stripe is called
-- and its id travels in Stripe's metadata.
CREATE TABLE purchases (
    id              text        PRIMARY KEY,
    book_id         bigint      NOT NULL,
    team_id         text        NOT NULL DEFAULT '',
    user_id         text        NOT NULL,       -- whose customer pays
    customer_id     text        NOT NULL DEFAULT '',
    pack            text        NOT NULL,
    credits         bigint      NOT NULL CHECK (credits BETWEEN 1 AND 1000000000000),
    expiry_months   int         NOT NULL DEFAULT 0 CHECK (expiry_months >= 0), -- 0: never
    state           text        NOT NULL CHECK (state IN ('created', 'open', 'processing', 'paid', 'failed', 'expired')),
    reason          text        NOT NULL DEFAULT '',
    session_id      text        UNIQUE,
    payment_intent_id text      NOT NULL DEFAULT '',
    url             text        NOT NULL DEFAULT '',
    amount          bigint,
    currency        text        NOT NULL DEFAULT '',
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    paid_at         timestamptz,
    posted_at       timestamptz,
    due_at          timestamptz, -- when to ask Stripe about it
    CHECK ((state = 'paid') = (posted_at IS NOT NULL))
);
CREATE INDEX purchases_book ON purchases (book_id, created_at);
CREATE INDEX purchases_due ON purchases (due_at) WHERE due_at IS NOT NULL;
