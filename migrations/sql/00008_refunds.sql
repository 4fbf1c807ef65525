-- +goose Up

-- Charges of which money was given back, or that somebody disputed, as they were last
-- fetched, and how much of what they brought was taken back. A charge that nobody ever
-- complained about isn't kept.
CREATE TABLE charges (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 255),
    customer_id     text        NOT NULL DEFAULT '',
    -- What it paid for: a purchase, or an invoice of a subscription.
    purchase_id     text        NOT NULL DEFAULT '',
    subscription_id text        NOT NULL DEFAULT '',
    invoice_id      text        NOT NULL DEFAULT '',
    -- settled: what it brought is as the money says. Else it waits until its purchase is
    -- known as paid, its subscription has a place, or what it paid for is granted.
    state           text        NOT NULL CHECK (state IN ('settled', 'unpaid', 'unplaced', 'ungranted')),
    reason          text        NOT NULL DEFAULT '',
    amount          bigint      NOT NULL,
    currency        text        NOT NULL DEFAULT '',
    refunded        bigint      NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    lost            bigint      NOT NULL DEFAULT 0 CHECK (lost >= 0),       -- in disputes
    disputes        jsonb       NOT NULL DEFAULT '[]',
    dispute_open    boolean     NOT NULL DEFAULT false,
    -- The lots that it paid for, by the origin of the first of their lineage.
    roots           text[]      NOT NULL DEFAULT '{}',
    -- The months that an invoice paid for begin in this time.
    paid_from       timestamptz NOT NULL,
    paid_to         timestamptz NOT NULL,
    -- The part of the money for which credits were taken back, and how many are.
    settled_money   bigint      NOT NULL DEFAULT 0 CHECK (settled_money >= 0),
    taken_back      bigint      NOT NULL DEFAULT 0 CHECK (taken_back >= 0),
    check_at        timestamptz,                                            -- when to ask Stripe again
    created_at      timestamptz NOT NULL,
    fetched_at      timestamptz NOT NULL,
    CHECK ((purchase_id = '') <> (subscription_id = '')),
    CHECK ((state = 'settled') = (check_at IS NULL))
);
CREATE INDEX charges_purchase ON charges (purchase_id) WHERE purchase_id <> '';
CREATE INDEX charges_subscription ON charges (subscription_id) WHERE subscription_id <> '';
CREATE INDEX charges_waiting ON charges (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX charges_disputed ON charges (id) WHERE dispute_open;

-- The entries by which credits were taken back for a charge, numbered in order. One rise
-- of the money is one number, with a part for each book and kind of lots.
CREATE TABLE clawbacks (
    charge_id       text        NOT NULL REFERENCES charges (id),
    number          int         NOT NULL CHECK (number >= 1),
    part            int         NOT NULL CHECK (part >= 1),
    book_id         bigint      NOT NULL,
    entry           bigint      NOT NULL,
    root            text        NOT NULL,
    credits         bigint      NOT NULL CHECK (credits >= 1),
    owed            bigint      NOT NULL CHECK (owed BETWEEN 0 AND credits), -- of them: what nobody had
    returned        bigint      NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND credits),
    -- The money that the number answers for, and what all of the money was worth then.
    money_from      bigint      NOT NULL CHECK (money_from >= 0),
    money_to        bigint      NOT NULL CHECK (money_to >= money_from),
    whole           bigint      NOT NULL CHECK (whole >= 0),
    PRIMARY KEY (charge_id, number, part),
    UNIQUE (book_id, entry)
);
CREATE INDEX clawbacks_root ON clawbacks (root);

ALTER TABLE purchases
    -- Where its credits live since they went with a subscription; null: where they were
    -- bought for. Its refund is owed there.
    ADD COLUMN home_book_id bigint,
    ADD COLUMN refunded     bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),   -- money
    ADD COLUMN taken_back   bigint NOT NULL DEFAULT 0 CHECK (taken_back >= 0), -- credits
    ADD COLUMN dispute      text   NOT NULL DEFAULT '';                        -- the latest one's status
CREATE INDEX purchases_home ON purchases (home_book_id) WHERE home_book_id IS NOT NULL;
CREATE INDEX purchases_payment ON purchases (payment_intent_id) WHERE payment_intent_id <> '';
