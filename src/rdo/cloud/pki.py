"""The cloud's certificates: an authority of its own, or one that is given, and one for each host.

All of it is in one folder of mode 0700: ``ca.crt``, ``ca.key``, and for each host ``<name>.crt`` and
``<name>.key``; SSH keys are ``<name>.ssh``. An operator's own authority is used where its ``ca.crt`` and
``ca.key`` are put there first.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import SecretStr

from rdo.common.errors import InputError
from rdo.common.files import locked, make_folder, write_atomically

_CERTIFICATE, _KEY = "ca.crt", "ca.key"
_AUTHORITY = datetime.timedelta(days=3650)
_HOST = datetime.timedelta(days=397)
#: A certificate that ends sooner than this is made anew.
_RENEW = datetime.timedelta(days=60)
# hosts' clocks may be a little behind
_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """A host's certificate and key, PEM; and when it ends."""

    certificate: str
    key: SecretStr
    ends: datetime.datetime


@dataclass(frozen=True)
class SshKey:
    """A pair of keys for SSH: the private one in OpenSSH's form, the public one as one line."""

    private: SecretStr
    public: str


class Authority:
    """The certificate authority of one cloud; nothing is written before :meth:`keep` is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, tuple[bytes, int]] = {}

    @property
    def is_fresh(self) -> bool:
        """Whether the authority itself was made anew, and is not kept yet."""
        self._own()
        return _CERTIFICATE in self._made

    def keep(self) -> None:
        """Write what was made; it has to be kept before any host hears of it."""
        make_folder(self.folder, private=True)
        with locked(self.folder / ".lock"):
            for name, (content, mode) in self._made.items():
                write_atomically(self.folder / name, content, mode=mode)
        self._made.clear()

    @property
    def certificate(self) -> str:
        """The authority's own certificate, PEM; it is made where there is none.

        :raises InputError: what is in the folder is no authority
        """
        return self._own()[0].public_bytes(serialization.Encoding.PEM).decode()

    def host(self, name: str, address: IPv4Address | IPv6Address) -> Certificate:
        """Return a host's certificate; made anew where it ends soon, or is for another address or authority.

        :raises InputError: the folder's authority can't be used
        """
        authority, signer = self._own()
        known = self._known(name, address, authority)
        return known or self._issue(name, address, authority, signer)

    def renew(self) -> list[str]:
        """Forget the hosts' certificates, so that new ones are made; return their names."""
        if not self.folder.exists():
            return []
        with locked(self.folder / ".lock"):
            names = sorted(path.stem for path in self.folder.glob("*.crt") if path.stem != "ca")
            for name in names:
                (self.folder / f"{name}.crt").unlink()
        return names

    def ssh_key(self, name: str) -> SshKey:
        """Return an SSH key of the cloud, which is made when it is asked for first.

        :raises InputError: the file that should have it has none
        """
        path = self.folder / f"{name}.ssh"
        if not self._is_there(path.name):
            openssh = serialization.PrivateFormat.OpenSSH
            made = ed25519.Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, openssh, serialization.NoEncryption()
            )
            self._made[path.name] = made, 0o600
        text = self._read(path.name)
        try:
            key = serialization.load_ssh_private_key(text, None)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path} is no SSH key: {error}", hint="Without the file, one is made."
            ) from error
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return SshKey(SecretStr(text.decode()), public.decode())

    def _own(self) -> tuple[x509.Certificate, CertificateIssuerPrivateKeyTypes]:
        certificate, key = self.folder / _CERTIFICATE, self.folder / _KEY
        if not self._is_there(_CERTIFICATE) and not self._is_there(_KEY):
            made, signer = _authority(self.folder.parent.name)
            self._made[_KEY] = _pem(signer).encode(), 0o600
            self._made[_CERTIFICATE] = made.public_bytes(serialization.Encoding.PEM), 0o644
        try:
            found = x509.load_pem_x509_certificate(self._read(_CERTIFICATE))
            private = serialization.load_pem_private_key(self._read(_KEY), None)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{self.folder} has no usable authority: {error}",
                hint="It takes ca.crt and ca.key, PEM, no passphrase; without both files they are made.",
            ) from error
        if private.public_key() != found.public_key():
            raise InputError(f"{key} is not the key of {certificate}.")
        if _now() > found.not_valid_after_utc:
            raise InputError(f"{certificate} ended on {found.not_valid_after_utc:%Y-%m-%d}.")
        return found, private  # type: ignore[return-value]  # any signing key's type is in that union

    def _is_there(self, name: str) -> bool:
        return name in self._made or (self.folder / name).exists()

    def _read(self, name: str) -> bytes:
        return self._made[name][0] if name in self._made else (self.folder / name).read_bytes()

    def _known(
        self, name: str, address: IPv4Address | IPv6Address, authority: x509.Certificate
    ) -> Certificate | None:
        try:
            text = self._read(f"{name}.crt").decode()
            key = self._read(f"{name}.key").decode()
            found = x509.load_pem_x509_certificate(text.encode())
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found.verify_directly_issued_by(authority)
        except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return None
        there = address in names.get_values_for_type(x509.IPAddress)
        ends = found.not_valid_after_utc
        if not there or ends - _now() < _RENEW:
            return None
        return Certificate(text, SecretStr(key), ends)

    def _issue(
        self,
        name: str,
        address: IPv4Address | IPv6Address,
        authority: x509.Certificate,
        signer: CertificateIssuerPrivateKeyTypes,
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.DNSName(name),
            x509.DNSName("localhost"),
            x509.IPAddress(address),
            x509.IPAddress(ip_address("127.0.0.1")),
        ]
        made = (
            _builder(name, authority.subject, key, min(_now() + _HOST, authority.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            # libvirt, OVN and the database are each other's servers and clients
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        text = made.public_bytes(serialization.Encoding.PEM).decode()
        # The key first: a certificate without its key would be taken for a whole pair.
        self._made[f"{name}.key"] = _pem(key).encode(), 0o600
        self._made[f"{name}.crt"] = text.encode(), 0o644
        return Certificate(text, SecretStr(_pem(key)), made.not_valid_after_utc)


def _authority(cloud: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"RDO cloud {cloud}")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(f"RDO cloud {cloud}", subject, key, _now() + _AUTHORITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return made, key


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _SKEW)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
