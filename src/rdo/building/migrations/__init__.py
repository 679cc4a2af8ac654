"""Alembic's migrations of the state; ``rdo.building.state`` runs them by itself."""
