-- +goose Up

-- Tickets order fetches from Stripe: a fetch takes one before it asks, and is
-- applied only if no later ticket was. One sequence serves all objects, since
-- only the order of two tickets of one object is ever compared. It must never be
-- given a CACHE: a session would then hand out numbers set aside long ago, and a
-- fresh fetch would look older than it is.
CREATE SEQUENCE tickets AS bigint;

-- What makes an event known is its id and nothing else. A unique key over a
-- partitioned table has to contain the partition key, so the ids stand in a table
-- of their own, which is the one arbiter when deliveries race.
CREATE TABLE event_ids (
    id              text        PRIMARY KEY CHECK (id <> '' AND length(id) <= 255),
    created_at      timestamptz NOT NULL
);

-- The inbox. A row is an event as Stripe sent it, byte for byte: jsonb would
-- refuse \u0000, text would refuse invalid UTF-8, and either would lose an event.
--
-- Partitioned by Stripe's own creation time, so that old months can be dropped
-- whole.
CREATE TABLE events (
    id              text        NOT NULL,
    created_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    -- Drawn as the event is recorded: a fetch with a later ticket knows what the event tells.
    ticket          bigint      NOT NULL DEFAULT nextval('tickets'),
    type            text        NOT NULL CHECK (type <> ''),
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
    -- How often work on it came to an end, well or badly.
    attempts        int         NOT NULL DEFAULT 0,
    settled_at      timestamptz,
    PRIMARY KEY (id, created_at),
    CHECK ((state = 'received') = (settled_at IS NULL))
) PARTITION BY RANGE (created_at);

-- Whatever has no month of its own lands here, an event created in the year 2100 too.
CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE INDEX events_received_at ON events (received_at, id);
CREATE INDEX events_open ON events (state, received_at, id) WHERE state IN ('received', 'unmatched', 'unmapped', 'failed');
CREATE INDEX events_customer ON events (customer_id);
CREATE INDEX events_object ON events (object_id);

-- What was last fetched of each object of Stripe's, and with which ticket.
CREATE TABLE stripe_objects (
    id              text        PRIMARY KEY CHECK (id <> ''),
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
