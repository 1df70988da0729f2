CREATE SCHEMA rating;

CREATE TABLE rating.rating (
    call_id    uuid NOT NULL REFERENCES matching.call,
    rater_id   uuid NOT NULL REFERENCES accounts.person,
    about_id   uuid NOT NULL REFERENCES accounts.person,
    outcome    text CHECK (outcome IN ('solved', 'partly', 'no')),     -- the caller's alone
    conduct    text NOT NULL CHECK (conduct IN ('fine', 'problem')),
    technical  boolean NOT NULL DEFAULT false,                          -- a fault of the technique, of nobody's
    comment    text CHECK (length(comment) <= 1000),
    rated_at   timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (call_id, rater_id),
    CHECK (rater_id <> about_id)
);
CREATE INDEX rating_by_about ON rating.rating (about_id, rated_at);

CREATE TABLE rating.report (
    id          uuid PRIMARY KEY,
    call_id     uuid NOT NULL REFERENCES matching.call,
    reporter_id uuid NOT NULL REFERENCES accounts.person,
    subject_id  uuid NOT NULL REFERENCES accounts.person,
    kind        text NOT NULL,
    severity    smallint NOT NULL CHECK (severity BETWEEN 0 AND 3),    -- 0 is the gravest
    text        text CHECK (length(text) <= 4000),
    reported_at timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT report_once_per_call UNIQUE (call_id, reporter_id),
    CHECK (reporter_id <> subject_id)
);
CREATE INDEX report_by_subject ON rating.report (subject_id, reported_at);
CREATE INDEX report_by_reporter ON rating.report (reporter_id, reported_at);

-- The points ledger: rows are only ever added; a correction is a row that takes the points back.
CREATE TABLE rating.award (
    id        uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES accounts.person,
    kind      text NOT NULL CHECK (kind IN ('call', 'first_call', 'standby', 'practice', 'reversal')),
    points    integer NOT NULL,
    call_id   uuid REFERENCES matching.call,
    offer_id  uuid REFERENCES matching.offer,
    reverses  uuid UNIQUE REFERENCES rating.award,
    at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
    CHECK ((kind = 'reversal') = (points < 0)),
    CHECK ((kind IN ('call', 'first_call')) <= (call_id IS NOT NULL)),
    CHECK ((kind = 'standby') = (offer_id IS NOT NULL))
);
CREATE UNIQUE INDEX award_once_per_call ON rating.award (call_id, kind) WHERE kind <> 'reversal';
CREATE UNIQUE INDEX award_once_per_offer ON rating.award (offer_id);
CREATE UNIQUE INDEX award_once_ever ON rating.award (person_id, kind) WHERE kind IN ('first_call', 'practice');
CREATE INDEX award_by_person ON rating.award (person_id, at);
