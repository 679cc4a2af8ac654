"""The one history of the database's tables, of all rooms; ``rdo.state.history`` runs it by itself."""
