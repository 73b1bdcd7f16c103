use ring::hmac;
use ring::signature::{self, EcdsaVerificationAlgorithm, RsaParameters};

/// An algorithm of RFC 7518 and RFC 8037 that a token may be signed by. `none` is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// How a signature is checked.
pub(super) enum Check {
    Hmac(hmac::Algorithm),
    Rsa(&'static RsaParameters),
    Ecdsa(&'static EcdsaVerificationAlgorithm),
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As a token's header has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    pub(super) fn check(self) -> Check {
        match self {
            Self::HS256 => Check::Hmac(hmac::HMAC_SHA256),
            Self::HS384 => Check::Hmac(hmac::HMAC_SHA384),
            Self::HS512 => Check::Hmac(hmac::HMAC_SHA512),
            Self::RS256 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::ES256 => Check::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED),
            Self::ES384 => Check::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED),
            Self::EdDSA => Check::Ed25519,
        }
    }
}
