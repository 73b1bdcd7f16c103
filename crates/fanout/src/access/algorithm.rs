use ring::hmac;
use ring::signature::{self, EcdsaVerificationAlgorithm, RsaParameters};

/// How a signature is verified.
pub(super) enum Check {
    Hmac(hmac::Algorithm),
    Rsa(&'static RsaParameters),
    Ecdsa(&'static EcdsaVerificationAlgorithm),
    Ed25519,
}

macro_rules! algorithms {
    ($($name:ident => $check:expr,)+) => {
        /// An algorithm of RFC 7518 or RFC 8037 that tokens may be signed with. `none` is not among them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are those of the RFCs")]
        pub enum Algorithm {
            $($name,)+
        }

        impl Algorithm {
            /// All algorithms.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// The name in a token's header.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            pub(super) fn check(self) -> Check {
                match self {
                    $(Self::$name => $check,)+
                }
            }
        }
    };
}

algorithms! {
    HS256 => Check::Hmac(hmac::HMAC_SHA256),
    HS384 => Check::Hmac(hmac::HMAC_SHA384),
    HS512 => Check::Hmac(hmac::HMAC_SHA512),
    RS256 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
    RS384 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
    RS512 => Check::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
    PS256 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
    PS384 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
    PS512 => Check::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
    ES256 => Check::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED),
    ES384 => Check::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED),
    EdDSA => Check::Ed25519,
}

impl Algorithm {
    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}
