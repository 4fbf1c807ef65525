-- +goose Up

-- Tickets order fetches from Stripe: a fetch takes one before it asks, and is
-- applied only if no later ticket was. One sequence serves all objects, since
-- only the order of two tickets of one object is ever compared.
CREATE SEQUENCE tickets AS bigint;

-- The inbox. A row is an event as Stripe sent it, byte for byte: jsonb would
-- refuse \u0000, text would refuse invalid UTF-8, and either would lose an event.
--
-- Partitioned by Stripe's own creation time, which is the same in every delivery
-- of one event, so that the primary key holds the dedupe and old months can be
-- dropped whole.
CREATE TABLE events (
    id              text        NOT NULL CHECK (id <> '' AND length(id) <= 255),
    created_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    ticket          bigint      NOT NULL DEFAULT nextval('tickets'),
    type            text        NOT NULL,
    api_version     text        NOT NULL DEFAULT '',
    account         text        NOT NULL DEFAULT '',
    object_kind     text        NOT NULL DEFAULT '',
    object_id       text        NOT NULL DEFAULT '',
    customer_id     text        NOT NULL DEFAULT '',
    origin          text        NOT NULL CHECK (origin IN ('webhook', 'sweep')),
    body            bytea       NOT NULL,
    -- received: staged, not yet worked. done: applied. ignored: nothing for us in it.
    -- unmatched: its customer is unknown. unmapped: no price of ours. failed: set aside, visibly.
    state           text        NOT NULL DEFAULT 'received'
                                CHECK (state IN ('received', 'done', 'ignored', 'unmatched', 'unmapped', 'failed')),
    reason          text        NOT NULL DEFAULT '',
    attempts        int         NOT NULL DEFAULT 0,
    settled_at      timestamptz,
    PRIMARY KEY (id, created_at),
    CHECK ((state = 'received') = (settled_at IS NULL))
) PARTITION BY RANGE (created_at);

-- Whatever has no month of its own lands here, an event created in the year 2100 too.
CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE INDEX events_received_at ON events (received_at);
CREATE INDEX events_open ON events (state, received_at) WHERE state IN ('received', 'unmatched', 'unmapped', 'failed');
CREATE INDEX events_customer ON events (customer_id) WHERE state IN ('unmatched', 'failed');
CREATE INDEX events_object ON events (object_id);

-- What was last fetched of each object of Stripe's, and with which ticket.
CREATE TABLE stripe_objects (
    id              text        PRIMARY KEY,
    applied_ticket  bigint      NOT NULL,
    applied_at      timestamptz NOT NULL
);

-- How far the sweep over Stripe's event list has come.
CREATE TABLE event_cursors (
    name            text        PRIMARY KEY,
    event_id        text        NOT NULL,
    created_at      timestamptz NOT NULL,
    swept_at        timestamptz NOT NULL
);
