-- When nobody may ring: a pause until a moment, and languages one speaks but is not rung for.
ALTER TABLE accounts.person ADD COLUMN snoozed_until timestamptz;
ALTER TABLE accounts.person ADD COLUMN muted_languages text[] NOT NULL DEFAULT '{}';

-- Where a person can be reached while no page is open. An address belongs to whoever registered it last: on a shared
-- browser the one who signed in before is not rung any more.
CREATE TABLE accounts.device (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES accounts.person,
    family_id  uuid REFERENCES accounts.refresh_family ON DELETE CASCADE,  -- the sign-in that registered it; whoever signs out is not rung
    kind       text NOT NULL CHECK (kind IN ('web_push', 'fcm', 'apns')),
    address    text NOT NULL CHECK (length(address) BETWEEN 1 AND 2048),  -- an endpoint, or a registration token
    key        bytea,                                -- Web Push: the subscription's P-256 point (RFC 8291 p256dh)
    auth       bytea,                                -- Web Push: its authentication secret
    created_at timestamptz NOT NULL DEFAULT now(),
    failures   smallint NOT NULL DEFAULT 0,          -- in a row
    retry_at   timestamptz,                          -- not before then: the push service asked for patience
    CONSTRAINT device_once UNIQUE (kind, address),
    CHECK ((kind = 'web_push') = (key IS NOT NULL AND auth IS NOT NULL)),
    CHECK (key IS NULL OR length(key) = 65),
    CHECK (auth IS NULL OR length(auth) = 16)
);
CREATE INDEX device_by_person ON accounts.device (person_id);
CREATE INDEX device_by_family ON accounts.device (family_id);
