CREATE TABLE client (
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    roles TEXT NOT NULL,
    sources TEXT NOT NULL,
    jwks TEXT NOT NULL,
    registered_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT pk_client PRIMARY KEY (number),
    CONSTRAINT uq_client_id UNIQUE (id)
);
CREATE TABLE used_assertion (
    client_id TEXT NOT NULL,
    jti TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_used_assertion PRIMARY KEY (client_id, jti)
)
 WITHOUT ROWID;
CREATE INDEX ix_used_assertion_expires_at ON used_assertion (expires_at);
CREATE TABLE audit_seal (
    number INTEGER NOT NULL,
    first_event BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    leaves BLOB NOT NULL,
    root TEXT NOT NULL,
    chain TEXT NOT NULL,
    sealed_at BIGINT NOT NULL,
    CONSTRAINT pk_audit_seal PRIMARY KEY (number),
    CONSTRAINT ck_audit_seal_ordered CHECK (first_event <= last_event),
    CONSTRAINT uq_audit_seal_last_event UNIQUE (last_event)
);
CREATE TABLE audit_sighting (
    record BIGINT NOT NULL,
    event BIGINT NOT NULL,
    CONSTRAINT pk_audit_sighting PRIMARY KEY (record, event)
)
 WITHOUT ROWID;
CREATE TABLE source_heard (
    source TEXT NOT NULL,
    version BIGINT NOT NULL,
    heard_at BIGINT NOT NULL,
    CONSTRAINT pk_source_heard PRIMARY KEY (source)
);
CREATE TABLE webhook (
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    event_types TEXT NOT NULL,
    is_own_only BOOLEAN NOT NULL,
    cursor BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    CONSTRAINT pk_webhook PRIMARY KEY (number),
    CONSTRAINT uq_webhook_id UNIQUE (id)
);
CREATE TABLE webhook_delivery (
    number INTEGER NOT NULL,
    webhook INTEGER NOT NULL,
    sequence BIGINT NOT NULL,
    order_key TEXT NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    attempts_count INTEGER DEFAULT '0' NOT NULL,
    due_at BIGINT NOT NULL,
    failure TEXT,
    CONSTRAINT pk_webhook_delivery PRIMARY KEY (number),
    CONSTRAINT ck_webhook_delivery_state CHECK (state IN ('waiting', 'dead')),
    CONSTRAINT uq_webhook_delivery_webhook_sequence UNIQUE (webhook, sequence),
    CONSTRAINT fk_webhook_delivery_webhook FOREIGN KEY(webhook) REFERENCES webhook (number)
);
CREATE INDEX ix_webhook_delivery_webhook_due_at ON webhook_delivery (webhook, due_at);
CREATE INDEX ix_webhook_delivery_webhook_order_key_sequence ON webhook_delivery (webhook, order_key, sequence);
