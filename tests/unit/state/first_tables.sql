CREATE TABLE runs (
	id INTEGER NOT NULL, 
	release VARCHAR NOT NULL, 
	platform VARCHAR NOT NULL, 
	started DATETIME NOT NULL, 
	finished DATETIME, 
	outcome VARCHAR NOT NULL, 
	total INTEGER NOT NULL, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	process_started VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);

CREATE TABLE run_asked (
	run_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (run_id, position), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE TABLE builds (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	package VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	stage VARCHAR NOT NULL, 
	input_hash VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	started DATETIME NOT NULL, 
	seconds DOUBLE NOT NULL, 
	reason VARCHAR, 
	hint VARCHAR, 
	log VARCHAR, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_builds_step UNIQUE (run_id, package, stage), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
);

CREATE INDEX ix_builds_package ON builds (package);

CREATE TABLE build_blocked_by (
	build_id INTEGER NOT NULL, 
	package VARCHAR NOT NULL, 
	PRIMARY KEY (build_id, package), 
	FOREIGN KEY(build_id) REFERENCES builds (id)
);

CREATE TABLE artifacts (
	build_id INTEGER NOT NULL, 
	filename VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	PRIMARY KEY (build_id, filename), 
	FOREIGN KEY(build_id) REFERENCES builds (id)
);

CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);

INSERT INTO alembic_version VALUES ('0001');
