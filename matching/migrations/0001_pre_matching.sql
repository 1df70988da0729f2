CREATE SCHEMA matching;

CREATE TABLE matching.request (
    id            uuid PRIMARY KEY,                    -- made by the caller's client
    caller_id     uuid NOT NULL REFERENCES accounts.person,
    languages     text[] NOT NULL CHECK (cardinality(languages) > 0),
    topic         text CHECK (length(topic) <= 200),
    trust         text NOT NULL DEFAULT 'any' CHECK (trust IN ('any', 'trusted')),
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'matched', 'cancelled', 'unanswered')),
    fence         integer NOT NULL DEFAULT 0,          -- rises with every claim; nothing older acts
    front         boolean NOT NULL DEFAULT false,      -- given back by a lost call
    asked_at      timestamptz NOT NULL DEFAULT now(),
    opened_at     timestamptz NOT NULL DEFAULT now(),  -- this opening; earlier ones are in waited_before
    waited_before double precision NOT NULL DEFAULT 0,
    looking_since timestamptz NOT NULL DEFAULT now(),  -- the caller last chose to wait
    told_at       timestamptz,                         -- "nobody" was said and not yet answered
    closed_at     timestamptz,
    CHECK ((closed_at IS NULL) = (state IN ('open', 'matched')))
);
CREATE UNIQUE INDEX request_one_open_per_caller ON matching.request (caller_id) WHERE state = 'open';
CREATE INDEX request_by_caller ON matching.request (caller_id, asked_at);

CREATE TABLE matching.offer (
    id           uuid PRIMARY KEY,
    request_id   uuid NOT NULL REFERENCES matching.request,
    volunteer_id uuid NOT NULL REFERENCES accounts.person,
    channel      text NOT NULL CHECK (channel IN ('socket', 'push')),
    rung_at      timestamptz NOT NULL DEFAULT now(),
    outcome      text CHECK (outcome IN ('accepted', 'declined', 'late', 'ignored', 'withdrawn')),
    answered_at  timestamptz,
    CONSTRAINT offer_once_per_request UNIQUE (request_id, volunteer_id)
);
CREATE INDEX offer_by_volunteer ON matching.offer (volunteer_id, rung_at);

CREATE TABLE matching.call (
    id                     uuid PRIMARY KEY,
    request_id             uuid NOT NULL REFERENCES matching.request,
    caller_id              uuid NOT NULL REFERENCES accounts.person,
    volunteer_id           uuid NOT NULL REFERENCES accounts.person,
    accept_id              text NOT NULL CHECK (length(accept_id) BETWEEN 1 AND 64),
    fence                  integer NOT NULL,
    waited                 double precision NOT NULL,  -- seconds from asking to this claim without a partner
    state                  text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'connected', 'ended')),
    claimed_at             timestamptz NOT NULL DEFAULT now(),
    caller_connected_at    timestamptz,
    volunteer_connected_at timestamptz,
    connected_at           timestamptz,
    ended_at               timestamptz,
    end_reason             text CHECK (end_reason IN ('done', 'cannot_help', 'abuse', 'technical', 'not_connected',
                                                      'caller_lost', 'volunteer_lost', 'staff')),
    ended_by               text CHECK (ended_by IN ('caller', 'volunteer')),
    given_back             boolean NOT NULL DEFAULT false,   -- the request was opened again
    CHECK (caller_id <> volunteer_id),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (end_reason IS NULL)),
    CHECK (state <> 'connected' OR connected_at IS NOT NULL),
    CHECK (NOT given_back OR state = 'ended'),
    CONSTRAINT call_fence_once UNIQUE (request_id, fence),
    CONSTRAINT call_accept_once UNIQUE (volunteer_id, accept_id)
);
CREATE UNIQUE INDEX call_one_live_per_volunteer ON matching.call (volunteer_id) WHERE state <> 'ended';
CREATE UNIQUE INDEX call_one_live_per_caller ON matching.call (caller_id) WHERE state <> 'ended';
CREATE UNIQUE INDEX call_one_per_request ON matching.call (request_id) WHERE NOT given_back;
CREATE INDEX call_by_caller ON matching.call (caller_id, claimed_at);
CREATE INDEX call_by_volunteer ON matching.call (volunteer_id, claimed_at);

-- Pairs that must not meet again, for whatever reason; the smaller id first, so that a pair has one row.
CREATE TABLE matching.never_again (
    one     uuid NOT NULL REFERENCES accounts.person,
    other   uuid NOT NULL REFERENCES accounts.person,
    set_by  uuid[] NOT NULL,                            -- who wished it; the pair is free again when nobody does
    set_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (one, other),
    CHECK (one < other)
);
CREATE INDEX never_again_other ON matching.never_again (other);

-- The claim looks at never_again too, but with the snapshot it began with. This function looks with a fresh one, and
-- whoever adds a pair holds both people's rows, so a pair that is committed can never meet.
CREATE FUNCTION matching.refuse_never_again() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM matching.never_again n
               WHERE n.one = least(NEW.caller_id, NEW.volunteer_id)
                 AND n.other = greatest(NEW.caller_id, NEW.volunteer_id)) THEN
        RAISE EXCEPTION 'these two never meet again'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'call_never_again';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER call_never_again BEFORE INSERT ON matching.call
    FOR EACH ROW EXECUTE FUNCTION matching.refuse_never_again();
