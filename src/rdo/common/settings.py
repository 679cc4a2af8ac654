"""The settings of an installation, which the command line reads once; rooms look at no variable."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rdo.common.paths import Paths


class Settings(BaseModel):
    """What a user may say once for all commands. Names are those of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    state: Path = Field(description="folder of what must not be lost: database, keys, repositories, clouds")
    cache: Path = Field(description="folder of what can be made again: sources, roots, the store")
    distribution: Path = Field(
        description="folder with `releases`, `platforms`, `packages`; by default `distribution` in the"
        " current folder, else the checkout's"
    )
    release: str | None = Field(
        default=None, description="series where no `--release` is given; by default the newest maintained one"
    )
    database: str | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy's URL of the state's database, SQLite or PostgreSQL; by default `rdo.sqlite`"
        " in the state",
    )
    store: str | None = Field(
        default=None,
        repr=False,
        description="artifact store: a folder or any URL that fsspec knows; by default `store` in the cache",
    )
    debian_mirror: str | None = Field(
        default=None, description="Debian mirror; by default the one of this machine's apt sources"
    )
    el_mirror: str | None = Field(
        default=None,
        description="folder or address with CentOS Stream's layout; needed for `el10` and `el9`, no default",
    )
    el_key: str | None = Field(
        default=None,
        description="key that EL's packages must be signed by, instead of the one in the platform's data",
    )
    index_url: str | None = Field(default=None, repr=False, description="package index; by default pip's")
    index_certificates: Path | None = Field(
        default=None, description="certificate authorities that the index is checked with"
    )
    http_proxy: str | None = Field(default=None, repr=False, description="proxy for `http:` addresses")
    https_proxy: str | None = Field(default=None, repr=False, description="proxy for `https:` addresses")
    no_proxy: str | None = Field(default=None, description="hosts that are reached without a proxy")

    @property
    def paths(self) -> Paths:
        """The folders of the installation."""
        return Paths(state=self.state, cache=self.cache, distribution=self.distribution)

    @property
    def proxies(self) -> dict[str, str]:
        """The proxies as variables that programs know; empty where there are none."""
        said = {name: getattr(self, name) for name in ("http_proxy", "https_proxy", "no_proxy")}
        return {name: value for name, value in said.items() if value}

    @field_validator("*", mode="before")
    @classmethod
    def _is_one_line(cls, value: object) -> object:
        if isinstance(value, str | Path) and not str(value).isprintable():
            raise ValueError("it has control characters or line ends")
        return value

    @field_validator("distribution")
    @classmethod
    def _is_folder(cls, value: Path) -> Path:
        if not value.is_dir():
            raise ValueError(f"{value} isn't a folder")
        return value

    @field_validator("database", "debian_mirror")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and "://" not in value:
            raise ValueError("it should be an address, as in scheme://place")
        return value
