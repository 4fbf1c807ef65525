-- +goose Up

-- Automatic top-up of a pool or a personal account: what somebody switched on, and where
-- it stands.
CREATE TABLE auto_top_ups (
    book_id         bigint      PRIMARY KEY,
    team_id         text        NOT NULL DEFAULT '',
    user_id         text        NOT NULL DEFAULT '', -- of a personal account
    is_on           boolean     NOT NULL,
    threshold       bigint      NOT NULL CHECK (threshold BETWEEN 0 AND 1000000000000),
    pack            text        NOT NULL CHECK (pack <> ''),
    -- What it may buy in a calendar month, in credits and in money.
    credits_max     bigint      NOT NULL CHECK (credits_max BETWEEN 1 AND 1000000000000),
    amount_max      bigint      NOT NULL CHECK (amount_max BETWEEN 1 AND 1000000000000),
    currency        text        NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    payment_method_id text      NOT NULL DEFAULT '', -- '': the customer's default
    changed_by      text        NOT NULL,
    changed_at      timestamptz NOT NULL,

    -- off: not switched on. ready: nothing to do until credits run low. buying: a
    -- purchase is in flight. action_required: it waits for somebody to authenticate.
    -- retrying: the last one was declined. waiting, capped: something forbids it for
    -- now. suspended: until somebody changes the card or switches it on again.
    state           text        NOT NULL
        CHECK (state IN ('off', 'ready', 'buying', 'action_required', 'retrying', 'waiting', 'capped', 'suspended')),
    reason          text        NOT NULL DEFAULT '',
    in_flight       text,                            -- the purchase
    declines        int         NOT NULL DEFAULT 0 CHECK (declines BETWEEN 0 AND 4),
    series_at       timestamptz,                     -- when the first of the declined ones was tried
    tried_with      text        NOT NULL DEFAULT '', -- the payment method that was declined last
    check_at        timestamptz,                     -- when to decide next; null: when credits run low
    CHECK ((team_id = '') <> (user_id = '')),
    CHECK ((state IN ('buying', 'action_required')) = (in_flight IS NOT NULL)),
    CHECK ((declines = 0) = (series_at IS NULL)),
    CHECK (is_on OR state IN ('off', 'buying', 'action_required'))
);
CREATE INDEX auto_top_ups_check ON auto_top_ups (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX auto_top_ups_stopped ON auto_top_ups (book_id) WHERE state IN ('suspended', 'retrying');

ALTER TABLE purchases
    ADD COLUMN kind         text   NOT NULL DEFAULT 'checkout' CHECK (kind IN ('checkout', 'auto')),
    ADD COLUMN packs        bigint NOT NULL DEFAULT 1 CHECK (packs >= 1),
    ADD COLUMN attempt      int    NOT NULL DEFAULT 0,        -- of its series, from 1; 0: not automatic
    ADD COLUMN price_id     text   NOT NULL DEFAULT '',       -- of an automatic one
    ADD COLUMN payment_method_id text NOT NULL DEFAULT '',    -- that it is paid with; '': the customer's default
    ADD COLUMN invoice_id   text   UNIQUE,
    ADD COLUMN decline_code text   NOT NULL DEFAULT '';
-- P2: never more than one in flight.
CREATE UNIQUE INDEX purchases_one_in_flight ON purchases (book_id)
    WHERE kind = 'auto' AND state IN ('created', 'open', 'processing');
