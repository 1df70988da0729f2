CREATE SCHEMA accounts;

CREATE TABLE accounts.person (
    id             uuid PRIMARY KEY,
    email          text UNIQUE,                       -- null once erased
    role           text CHECK (role IN ('caller', 'volunteer')),
    staff_role     text CHECK (staff_role IN ('triage', 'moderator', 'senior', 'auditor', 'admin')),
    standing       text NOT NULL DEFAULT 'good'
                   CHECK (standing IN ('good', 'warned', 'restricted', 'held', 'suspended', 'banned')),
    standing_until timestamptz,
    decision_id    uuid,
    token_epoch    integer NOT NULL DEFAULT 1,
    locale         text NOT NULL DEFAULT 'en',        -- the language of pages and mails
    languages      text[] NOT NULL DEFAULT '{}',      -- BCP 47, the first is the first language
    time_zone      text NOT NULL DEFAULT 'UTC',       -- IANA
    quiet_hours    jsonb NOT NULL DEFAULT '[]',
    alerts_per_day smallint NOT NULL DEFAULT 2 CHECK (alerts_per_day BETWEEN 0 AND 20),
    alias          text,
    adult          boolean NOT NULL DEFAULT false,
    consent        text,                              -- the version agreed to
    created_at     timestamptz NOT NULL DEFAULT now(),
    completed_at   timestamptz,
    erased_at      timestamptz,
    CHECK (completed_at IS NULL OR (role IS NOT NULL AND cardinality(languages) > 0 AND consent IS NOT NULL)),
    CHECK (role IS DISTINCT FROM 'volunteer' OR adult),
    CHECK (erased_at IS NULL OR email IS NULL)
);

-- Every consent ever given, for the proof that GDPR article 7(1) asks for.
CREATE TABLE accounts.consent (
    person_id uuid NOT NULL REFERENCES accounts.person,
    version   text NOT NULL,
    given_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, version)
);

CREATE TABLE accounts.sign_in_code (
    id           uuid PRIMARY KEY,
    email        text NOT NULL,
    code_hash    bytea NOT NULL,
    browser_hash bytea NOT NULL,
    network_hash bytea NOT NULL,
    locale       text NOT NULL,
    tries        smallint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX sign_in_code_by_email ON accounts.sign_in_code (email, created_at);
CREATE INDEX sign_in_code_by_network ON accounts.sign_in_code (network_hash, created_at);

-- One row a signed-in device. A refresh token is family, generation and a tag made with the server's key and `salt`;
-- the database alone cannot make one.
CREATE TABLE accounts.refresh_family (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES accounts.person,
    salt        bytea NOT NULL,
    generation  integer NOT NULL DEFAULT 1,
    rotated_at  timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    revoked_for text CHECK (revoked_for IN ('logout', 'everywhere', 'reuse', 'banned', 'erased')),
    CHECK ((revoked_at IS NULL) = (revoked_for IS NULL))
);
CREATE INDEX refresh_family_by_person ON accounts.refresh_family (person_id) WHERE revoked_at IS NULL;

-- What happened to whom by whom; rows are only ever added.
CREATE TABLE accounts.audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,                            -- a person's id, 'cli:NAME' or 'system'
    tag     text NOT NULL CHECK (tag ~ '^[a-z_]+:[a-z_]+:[a-z_]+$'),   -- source:subject:action
    subject uuid,
    data    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_by_subject ON accounts.audit (subject, id);

-- What must reach somebody after a transaction; delivered at least once, by whichever node comes first.
CREATE TABLE accounts.outbox (
    id         uuid PRIMARY KEY,
    topic      text NOT NULL,
    person_id  uuid REFERENCES accounts.person,
    payload    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_age ON accounts.outbox (created_at);
