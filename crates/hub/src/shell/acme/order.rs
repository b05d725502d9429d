//! One order: account, order, proof of each domain, key and request, certificate (RFC 8555, section 7). It ends with a
//! certificate that is kept and is what was ordered, or with words that say what would be right.

use std::{sync::Arc, time::Duration};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, OrderStatus, Problem, RetryPolicy,
};
use quartet_model::Time;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use serde::{Deserialize, Serialize};

use super::{
    Answers, Issued, Proof,
    ask::{Ask, Patience},
    place::Place,
};
use crate::{config, shell::tls::TlsError};

/// How often the authority is asked whether the certificate is there, and for how long.
const READY: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));
/// How long it is waited before the authority is asked first what it found; then twice as long each time.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How long the authority may look.
const PROVED_MAX: Duration = Duration::from_secs(90);
/// What the types of problems begin with [RFC 8555 6.7].
const TYPE: &str = "urn:ietf:params:acme:error:";

/// What is ordered, and by what.
pub(super) struct Order<'o> {
    pub(super) config: &'o config::Acme,
    pub(super) place: &'o Place,
    pub(super) answers: &'o Answers,
    pub(super) proof: Proof,
    pub(super) now: Time,
}

/// An account, as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    contact: Vec<String>,
    credentials: AccountCredentials,
}

impl Known {
    /// What the authority knows it by.
    pub(super) fn credentials(self) -> AccountCredentials {
        self.credentials
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotIssued {
    #[error(
        "the authority cannot be asked: {why}; look whether {directory} is reached from here, and whether acme.directory and acme.root are right"
    )]
    Unreachable { directory: String, why: String },
    #[error("the authority refuses: {why}; {right}")]
    Refused { why: String, right: &'static str },
    #[error("the authority did not find that {domain} is this hub: {why}; {right}")]
    NotProved {
        domain: String,
        why: String,
        right: String,
    },
    #[error(
        "the authority does not take {offered} as a proof for {domain}; configure another authority, or a listener for one of {wanted}"
    )]
    NoProof {
        domain: String,
        offered: &'static str,
        wanted: String,
    },
    #[error("what the authority issued is not used: {0}; ask the authority")]
    Wrong(String),
    #[error("the authority took too long; it is asked again later")]
    Slow,
    #[error(transparent)]
    Kept(#[from] TlsError),
    #[error("no key or request can be made: {0}")]
    Key(#[from] rcgen::Error),
}

impl Order<'_> {
    /// To its end. `patience` is what the authority asked for, if it did.
    pub(super) async fn run(self, patience: &mut Option<Duration>) -> Result<Issued, NotIssued> {
        let asked = Patience::default();
        let issued = self.issued(&asked).await;
        *patience = *asked.lock();
        issued
    }

    async fn issued(&self, asked: &Patience) -> Result<Issued, NotIssued> {
        let failed = |error| self.failed(error);
        let account = self.account(asked).await?;
        let names = self.config.domains.iter().cloned().map(Identifier::Dns);
        let names: Vec<_> = names.collect();
        let order = account.new_order(&NewOrder::new(&names)).await;
        let mut order = order.map_err(|error| self.forgetting(error))?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(failed)?;
            // One that is good already needs no proof; what is wrong with others is found below.
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let domain = authorization.identifier().to_string();
            let offered = authorization.challenges.iter();
            let offered: Vec<_> = offered.map(|one| format!("{:?}", one.r#type)).collect();
            let Some(mut challenge) = authorization.challenge(self.proof.challenge()) else {
                return Err(NotIssued::NoProof {
                    domain,
                    offered: self.proof.name(),
                    wanted: offered.join(", "),
                });
            };
            let proof = challenge.key_authorization();
            match self.proof {
                Proof::Tls => self.answers.show(&domain, proof.digest().as_ref())?,
                Proof::Http => self.answers.say(&challenge.token, proof.as_str()),
            }
            let told = challenge.set_ready().await;
            told.map_err(|error| self.not_proved(&domain, error))?;
        }
        self.until_proved(&mut order).await?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(self.config.domains.clone())?;
        params.distinguished_name = DistinguishedName::new(); // The names alone count.
        let request = params.serialize_request(&key)?;
        order.finalize_csr(request.der()).await.map_err(failed)?;
        let chain = order.poll_certificate(&READY).await.map_err(failed)?;
        let text = format!("{}{chain}", key.serialize_pem());
        let issued = Issued::read(&text).map_err(NotIssued::Wrong)?;
        let checked = issued.check(&self.config.domains, self.now);
        checked.map_err(NotIssued::Wrong)?;
        self.place.keep_certificate(&text)?;
        Ok(issued.of(&self.config.domains))
    }

    /// The account that is kept, or a new one.
    async fn account(&self, asked: &Patience) -> Result<Account, NotIssued> {
        let ask = Ask::new(self.config.root.as_deref(), Arc::clone(asked))?;
        let builder = Account::builder_with_http(Box::new(ask));
        let contact: Vec<&str> = self.config.contact.iter().map(String::as_str).collect();
        let Some(known) = self.place.account() else {
            let wanted = NewAccount {
                contact: &contact,
                terms_of_service_agreed: self.config.agree,
                only_return_existing: false,
            };
            let directory = self.config.directory.clone();
            let made = builder.create(&wanted, directory, None).await;
            let (account, credentials) = made.map_err(|error| self.failed(error))?;
            self.place.keep_account(&Known {
                contact: self.config.contact.clone(),
                credentials,
            })?;
            return Ok(account);
        };
        let is_changed = known.contact != self.config.contact;
        let text = serde_json::to_string(&known.credentials).unwrap_or_default();
        let account = builder.from_credentials(known.credentials).await;
        let account = account.map_err(|error| self.failed(error))?;
        if is_changed {
            let updated = account.update_contacts(&contact).await;
            updated.map_err(|error| self.forgetting(error))?;
            if let Ok(credentials) = serde_json::from_str(&text) {
                self.place.keep_account(&Known {
                    contact: self.config.contact.clone(),
                    credentials,
                })?;
            }
        }
        Ok(account)
    }

    /// Waits until the authority has seen all proofs. Some say with the proof alone that it is not good, and leave the order open.
    async fn until_proved(&self, order: &mut instant_acme::Order) -> Result<(), NotIssued> {
        let mut waited = Duration::ZERO;
        let mut wait = FIRST_LOOK;
        loop {
            tokio::time::sleep(wait).await;
            waited += wait;
            let state = order.refresh().await.map_err(|error| self.failed(error))?;
            let (status, problem) = (state.status, state.error.clone());
            if matches!(status, OrderStatus::Ready | OrderStatus::Valid) {
                return Ok(());
            }
            let is_last = status == OrderStatus::Invalid || PROVED_MAX <= waited;
            if let Some(why) = self.why(order, is_last).await? {
                return Err(why);
            }
            if is_last {
                return Err(match problem {
                    Some(problem) => self.failed(Error::Api(problem)),
                    None if status == OrderStatus::Invalid => NotIssued::Refused {
                        why: "the order is invalid".to_owned(),
                        right: "ask the authority",
                    },
                    None => NotIssued::NotProved {
                        domain: self.config.domains.join(", "),
                        why: format!("it said nothing for {} s", PROVED_MAX.as_secs()),
                        right: self.proof.right(&self.config.domains[0], "timeout"),
                    },
                });
            }
            wait = (wait * 2).min(LAST_LOOK);
        }
    }

    /// What the authority says about a proof that it did not find good; also about one that it may still find so, if
    /// nobody waits any more.
    async fn why(
        &self,
        order: &mut instant_acme::Order,
        is_last: bool,
    ) -> Result<Option<NotIssued>, NotIssued> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failed(error))?;
            let refreshed = authorization.refresh().await;
            let status = refreshed.map_err(|error| self.failed(error))?.status;
            let is_over = !matches!(
                status,
                AuthorizationStatus::Pending | AuthorizationStatus::Valid
            );
            if !is_over && !is_last {
                continue;
            }
            let domain = authorization.identifier().to_string();
            let mut challenges = authorization.challenges.iter();
            let problem = challenges.find_map(|challenge| challenge.error.clone());
            if let Some(problem) = problem {
                return Ok(Some(self.not_proved(&domain, Error::Api(problem))));
            }
            if is_over {
                return Ok(Some(NotIssued::NotProved {
                    right: self.proof.right(&domain, ""),
                    why: format!("its authorization is {status:?}"),
                    domain,
                }));
            }
        }
        Ok(None)
    }

    fn not_proved(&self, domain: &str, error: Error) -> NotIssued {
        match error {
            Error::Api(problem) => NotIssued::NotProved {
                domain: domain.to_owned(),
                right: self.proof.right(domain, kind(&problem)),
                why: said(&problem),
            },
            other => self.failed(other),
        }
    }

    /// The same as `failed`; an account that the authority does not know is forgotten, so that the next order makes another one.
    fn forgetting(&self, error: Error) -> NotIssued {
        if let Error::Api(problem) = &error
            && kind(problem) == "accountDoesNotExist"
        {
            self.place.forget_account();
        }
        self.failed(error)
    }

    fn failed(&self, error: Error) -> NotIssued {
        match error {
            Error::Api(problem) => NotIssued::Refused {
                right: right(kind(&problem)),
                why: said(&problem),
            },
            Error::Timeout(_) => NotIssued::Slow,
            Error::Other(why) => NotIssued::Unreachable {
                directory: self.config.directory.clone(),
                why: why.to_string(),
            },
            Error::Json(why) => NotIssued::Unreachable {
                directory: self.config.directory.clone(),
                why: format!("its answer is none of ACME: {why}"),
            },
            other => NotIssued::Refused {
                why: other.to_string(),
                right: "ask the authority",
            },
        }
    }
}

/// The end of a problem's type.
fn kind(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.strip_prefix(TYPE).unwrap_or(kind)
}

/// A problem in words: whatever an authority says, in one line and not too long.
fn said(problem: &Problem) -> String {
    let text = problem.to_string();
    let text = text.strip_prefix("API error: ").unwrap_or(&text);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(500).map(clean).collect()
}

/// What would be right where an authority refuses [RFC 8555 6.7].
fn right(kind: &str) -> &'static str {
    match kind {
        "rateLimited" => "it was asked too often; the hub asks again later by itself",
        "rejectedIdentifier" => {
            "it issues nothing for this domain; configure another one in acme.domains"
        }
        "caa" => "the CAA record of the domain in DNS names who may issue; add this authority",
        "externalAccountRequired" => {
            "it asks for an account that was made elsewhere, which the hub cannot do; configure another authority"
        }
        "userActionRequired" => {
            "its terms of service have changed; read them, and ask the authority"
        }
        "invalidContact" | "unsupportedContact" => "write another address in acme.contact",
        "accountDoesNotExist" => "the hub makes another account at the next try",
        _ => "ask the authority",
    }
}

impl Proof {
    /// As the authority calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls-alpn-01",
            Self::Http => "http-01",
        }
    }

    fn challenge(self) -> ChallengeType {
        match self {
            Self::Tls => ChallengeType::TlsAlpn01,
            Self::Http => ChallengeType::Http01,
        }
    }

    /// What would be right where a proof was not found.
    fn right(self, domain: &str, kind: &str) -> String {
        let (port, listener) = match self {
            Self::Tls => (443, "https"),
            Self::Http => (80, "http"),
        };
        let reach = format!(
            "port {port} of {domain} has to lead to the hub's {listener} listener: look at DNS, router and firewall"
        );
        match kind {
            "dns" => format!("{domain} needs an A or AAAA record in DNS that leads here"),
            "caa" => right(kind).to_owned(),
            "connection" | "timeout" => reach,
            _ => format!("{reach}; somebody else may answer there, such as a proxy that ends TLS"),
        }
    }
}
