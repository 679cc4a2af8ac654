"""The installation's database: engine, sessions, lock, one history of migrations. Rooms bring the tables."""
