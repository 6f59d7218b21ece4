CREATE TABLE audit_event (
    number INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    purpose TEXT NOT NULL,
    person_id TEXT,
    record BIGINT,
    request_id TEXT,
    detail TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    CONSTRAINT pk_audit_event PRIMARY KEY (number)
);

CREATE INDEX ix_audit_event_person_id_recorded_at ON audit_event (person_id, recorded_at);

CREATE TABLE blocking_key (
    "key" BIGINT NOT NULL,
    record BIGINT NOT NULL,
    CONSTRAINT pk_blocking_key PRIMARY KEY ("key", record)
)
 WITHOUT ROWID;

CREATE TABLE decision (
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    evidence_digest TEXT,
    decided_at BIGINT NOT NULL,
    retracted_at BIGINT,
    retracted_by TEXT,
    retraction_reason TEXT,
    CONSTRAINT pk_decision PRIMARY KEY (number),
    CONSTRAINT ck_decision_kind CHECK (kind IN ('same', 'different')),
    CONSTRAINT ck_decision_retraction CHECK ((retracted_at IS NULL) = (retracted_by IS NULL))
);

CREATE TABLE edge (
    left_record BIGINT NOT NULL,
    right_record BIGINT NOT NULL,
    match_weight_bits DOUBLE NOT NULL,
    model BIGINT NOT NULL,
    CONSTRAINT pk_edge PRIMARY KEY (left_record, right_record),
    CONSTRAINT ck_edge_ordered CHECK (left_record < right_record)
)
 WITHOUT ROWID;

CREATE INDEX ix_edge_right_record ON edge (right_record);

CREATE TABLE model_release (
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    released_at BIGINT NOT NULL,
    is_in_force BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT pk_model_release PRIMARY KEY (number),
    CONSTRAINT uq_model_release_digest UNIQUE (digest)
);

CREATE UNIQUE INDEX uq_model_release_in_force ON model_release (is_in_force) WHERE is_in_force;

CREATE TABLE nhs_number_status (
    number INTEGER NOT NULL,
    nhs_number TEXT NOT NULL,
    status TEXT NOT NULL,
    successor TEXT,
    author TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    retracted_at BIGINT,
    CONSTRAINT pk_nhs_number_status PRIMARY KEY (number),
    CONSTRAINT ck_nhs_number_status_status CHECK (status IN ('disputed', 'superseded')),
    CONSTRAINT ck_nhs_number_status_successor CHECK ((status = 'superseded') = (successor IS NOT NULL))
);

CREATE UNIQUE INDEX uq_nhs_number_status_in_force ON nhs_number_status (nhs_number) WHERE retracted_at IS NULL;

CREATE TABLE outbox_event (
    number INTEGER NOT NULL,
    sequence BIGINT,
    type TEXT NOT NULL,
    person_id TEXT,
    record BIGINT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    CONSTRAINT pk_outbox_event PRIMARY KEY (number),
    CONSTRAINT uq_outbox_event_sequence UNIQUE (sequence)
);

CREATE INDEX ix_outbox_event_person_id_number ON outbox_event (person_id, number);

CREATE INDEX ix_outbox_event_unnumbered ON outbox_event (number) WHERE sequence IS NULL;

CREATE TABLE person (
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    state TEXT DEFAULT 'live' NOT NULL,
    redirect TEXT,
    golden TEXT,
    golden_digest TEXT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (number),
    CONSTRAINT uq_person_id UNIQUE (id),
    CONSTRAINT fk_person_redirect FOREIGN KEY(redirect) REFERENCES person (id),
    CONSTRAINT ck_person_state CHECK (state IN ('live', 'retired', 'closed')),
    CONSTRAINT ck_person_redirect CHECK (redirect <> id)
);

CREATE INDEX ix_person_redirect ON person (redirect) WHERE redirect IS NOT NULL;

CREATE TABLE source_system (
    source TEXT NOT NULL,
    name TEXT,
    ods_code TEXT,
    identifier_system TEXT,
    mapping_digest TEXT,
    CONSTRAINT pk_source_system PRIMARY KEY (source)
);

CREATE TABLE feed_load (
    number INTEGER NOT NULL,
    source TEXT NOT NULL,
    file_digest TEXT NOT NULL,
    mapping_digest TEXT NOT NULL,
    rows_count BIGINT NOT NULL,
    versions_count BIGINT NOT NULL,
    quarantined_count BIGINT NOT NULL,
    loaded_at BIGINT NOT NULL,
    CONSTRAINT pk_feed_load PRIMARY KEY (number),
    CONSTRAINT fk_feed_load_source FOREIGN KEY(source) REFERENCES source_system (source)
);

CREATE INDEX ix_feed_load_source_file_digest_mapping_digest ON feed_load (source, file_digest, mapping_digest);

CREATE TABLE source_record (
    number INTEGER NOT NULL,
    source TEXT NOT NULL,
    local_id TEXT NOT NULL,
    state TEXT DEFAULT 'live' NOT NULL,
    merged_into INTEGER,
    live_version BIGINT,
    comparison TEXT,
    nhs_number TEXT,
    registered_at BIGINT NOT NULL,
    CONSTRAINT pk_source_record PRIMARY KEY (number),
    CONSTRAINT uq_source_record_source_local_id UNIQUE (source, local_id),
    CONSTRAINT ck_source_record_state CHECK (state IN ('live', 'retired', 'merged')),
    CONSTRAINT fk_source_record_source FOREIGN KEY(source) REFERENCES source_system (source),
    CONSTRAINT fk_source_record_merged_into FOREIGN KEY(merged_into) REFERENCES source_record (number)
);

CREATE INDEX ix_source_record_nhs_number ON source_record (nhs_number) WHERE nhs_number IS NOT NULL;

CREATE TABLE task (
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    priority INTEGER NOT NULL,
    match_weight_bits DOUBLE NOT NULL,
    reason TEXT NOT NULL,
    question_digest TEXT NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    claimed_by TEXT,
    lease_until BIGINT,
    parked_until BIGINT,
    decision INTEGER,
    CONSTRAINT pk_task PRIMARY KEY (number),
    CONSTRAINT ck_task_type CHECK (type IN ('possible_link', 'possible_merge', 'duplicate_within_source', 'ambiguity', 'blocked_by_veto', 'nhs_number_clash', 'oversized_component', 'contradicting_decisions', 'unexplained_split', 'overlay')),
    CONSTRAINT ck_task_state CHECK (state IN ('open', 'claimed', 'parked', 'decided', 'withdrawn')),
    CONSTRAINT fk_task_decision FOREIGN KEY(decision) REFERENCES decision (number)
);

CREATE INDEX ix_task_lease_until ON task (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX ix_task_work_list ON task (priority DESC, number) WHERE closed_at IS NULL;

CREATE UNIQUE INDEX uq_task_open_question ON task (question_digest) WHERE closed_at IS NULL;

CREATE TABLE decision_record (
    decision INTEGER NOT NULL,
    record INTEGER NOT NULL,
    is_left BOOLEAN NOT NULL,
    is_number_disowned BOOLEAN DEFAULT 0 NOT NULL,
    CONSTRAINT pk_decision_record PRIMARY KEY (decision, record),
    CONSTRAINT fk_decision_record_decision FOREIGN KEY(decision) REFERENCES decision (number),
    CONSTRAINT fk_decision_record_record FOREIGN KEY(record) REFERENCES source_record (number)
);

CREATE INDEX ix_decision_record_record ON decision_record (record);

CREATE TABLE home (
    record INTEGER NOT NULL,
    home_id TEXT NOT NULL,
    remembered_id TEXT,
    CONSTRAINT pk_home PRIMARY KEY (record),
    CONSTRAINT fk_home_record FOREIGN KEY(record) REFERENCES source_record (number),
    CONSTRAINT fk_home_home_id FOREIGN KEY(home_id) REFERENCES person (id),
    CONSTRAINT fk_home_remembered_id FOREIGN KEY(remembered_id) REFERENCES person (id)
);

CREATE INDEX ix_home_home_id ON home (home_id);

CREATE INDEX ix_home_remembered_id ON home (remembered_id) WHERE remembered_id IS NOT NULL;

CREATE TABLE link (
    number INTEGER NOT NULL,
    record INTEGER NOT NULL,
    person_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    match_weight_bits DOUBLE,
    model INTEGER NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,
    CONSTRAINT pk_link PRIMARY KEY (number),
    CONSTRAINT ck_link_origin CHECK (origin IN ('automatic', 'batch', 'steward')),
    CONSTRAINT ck_link_validity CHECK (valid_to >= valid_from),
    CONSTRAINT fk_link_record FOREIGN KEY(record) REFERENCES source_record (number),
    CONSTRAINT fk_link_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_link_model FOREIGN KEY(model) REFERENCES model_release (number)
);

CREATE INDEX ix_link_person_id_valid_from ON link (person_id, valid_from);

CREATE INDEX ix_link_record_valid_from ON link (record, valid_from);

CREATE UNIQUE INDEX uq_link_open_record ON link (record) WHERE valid_to IS NULL;

CREATE TABLE record_version (
    number INTEGER NOT NULL,
    record INTEGER NOT NULL,
    event_at BIGINT NOT NULL,
    sequence BIGINT DEFAULT '0' NOT NULL,
    digest TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT DEFAULT 'accepted' NOT NULL,
    mapping_digest TEXT,
    received_at BIGINT NOT NULL,
    CONSTRAINT pk_record_version PRIMARY KEY (number),
    CONSTRAINT uq_record_version_record_event_at_sequence_digest UNIQUE (record, event_at, sequence, digest),
    CONSTRAINT ck_record_version_state CHECK (state IN ('accepted', 'held', 'entered_in_error')),
    CONSTRAINT fk_record_version_record FOREIGN KEY(record) REFERENCES source_record (number)
);

CREATE TABLE task_record (
    task INTEGER NOT NULL,
    record INTEGER NOT NULL,
    is_left BOOLEAN NOT NULL,
    CONSTRAINT pk_task_record PRIMARY KEY (task, record),
    CONSTRAINT fk_task_record_task FOREIGN KEY(task) REFERENCES task (number),
    CONSTRAINT fk_task_record_record FOREIGN KEY(record) REFERENCES source_record (number)
);

CREATE INDEX ix_task_record_record ON task_record (record);
