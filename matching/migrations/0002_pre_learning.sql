-- What every ring taught about a volunteer, for an open page and for a push apart. Old evidence fades, so both counts
-- are worth what they are at `as_of`; matching/responses.py says how.
CREATE TABLE matching.response (
    volunteer_id uuid NOT NULL REFERENCES accounts.person,
    channel      text NOT NULL CHECK (channel IN ('socket', 'push')),
    yes          double precision NOT NULL DEFAULT 0 CHECK (yes >= 0),     -- answers, late ones too
    exposure     double precision NOT NULL DEFAULT 0 CHECK (exposure >= 0), -- rings, each worth what could be expected
    ignored      smallint NOT NULL DEFAULT 0,                               -- rings in a row without any answer
    as_of        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (volunteer_id, channel)
);

-- The population, fitted from time to time; the newest row is in force.
CREATE TABLE matching.population (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fitted_at timestamptz NOT NULL DEFAULT now(),
    rings     integer NOT NULL,                        -- how many it was fitted from
    model     jsonb NOT NULL
);

ALTER TABLE matching.offer DROP CONSTRAINT offer_outcome_check;
ALTER TABLE matching.offer ADD CONSTRAINT offer_outcome_check
    CHECK (outcome IN ('accepted', 'declined', 'late', 'ignored', 'withdrawn', 'failed'));
ALTER TABLE matching.offer
    ADD COLUMN chance   real NOT NULL DEFAULT 0,       -- of an accept, as it was thought to be when it rang
    ADD COLUMN exposure real NOT NULL DEFAULT 1,       -- what this ring is worth as evidence
    ADD COLUMN why      jsonb NOT NULL DEFAULT '{}',   -- the terms of its score
    ADD COLUMN opened_at timestamptz,                  -- the notification was tapped
    ADD COLUMN learned  text;                          -- the outcome that its volunteer's evidence holds already
CREATE INDEX offer_by_time ON matching.offer (rung_at);
CREATE INDEX offer_to_learn ON matching.offer (answered_at)
    WHERE outcome IS NOT NULL AND learned IS DISTINCT FROM outcome;

-- The first to tap has a moment to unlock the phone; nobody else wins meanwhile.
ALTER TABLE matching.request
    ADD COLUMN reserved_offer uuid REFERENCES matching.offer,
    ADD COLUMN reserved_until timestamptz,
    ADD COLUMN callback_call uuid REFERENCES matching.call,  -- ring the volunteer of this dropped call first
    ADD CHECK ((reserved_offer IS NULL) = (reserved_until IS NULL));
CREATE INDEX request_by_reserved_offer ON matching.request (reserved_offer) WHERE reserved_offer IS NOT NULL;
CREATE INDEX request_by_callback_call ON matching.request (callback_call) WHERE callback_call IS NOT NULL;
CREATE INDEX request_by_time ON matching.request (asked_at);

-- "Tell me when somebody is free", once.
CREATE TABLE matching.wish (
    caller_id  uuid PRIMARY KEY REFERENCES accounts.person,
    request_id uuid NOT NULL REFERENCES matching.request,  -- the one that nobody answered
    languages  text[] NOT NULL CHECK (cardinality(languages) > 0),
    trust      text NOT NULL DEFAULT 'any' CHECK (trust IN ('any', 'trusted')),
    made_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    told_at    timestamptz                             -- kept until it expires, for a page that was closed
);
CREATE INDEX wish_by_request ON matching.wish (request_id);
CREATE INDEX wish_by_age ON matching.wish (made_at);
