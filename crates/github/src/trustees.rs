//! Who may act for the registry: the bot, and the members of one team (registry spec, 4.4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use docket_core::digest::Sha256;
use docket_core::time::Timestamp;
use http::StatusCode;

use crate::{Client, Clock, Config, Error, Limits, Login, Token, TokenError};

/// Answers that are remembered at most.
const MAX_ANSWERS: usize = 1_024;
const MINUTE_MILLIS: i64 = 60_000;

/// Tells trustees from others by their GitHub tokens. Cheap to clone; clones share what they remember.
///
/// An answer is remembered by the SHA-256 of the token. The token itself is passed on to GitHub and then forgotten.
#[derive(Debug, Clone)]
pub struct Trustees {
    client: Client,
    bot: Option<Login>,
    has_team: bool,
    limits: Limits,
    clock: Clock,
    memory: Arc<Mutex<Memory>>,
}

/// Why the bearer of a token may not act for the registry. No text names any part of the token.
#[derive(Debug, thiserror::Error)]
pub enum TrusteeError {
    /// The text cannot be a token of GitHub's; nobody was asked.
    #[error("the bearer token cannot be one of GitHub's")]
    Malformed(#[source] TokenError),
    /// GitHub does not know the token.
    #[error("GitHub does not accept the bearer token: it is wrong, expired or withdrawn")]
    UnknownToken,
    /// GitHub does not say whose token it is, because it belongs to a program.
    #[error("the bearer token belongs to no person: use a personal access token of a trustee")]
    NoPerson,
    /// The owner of the token is not trusted.
    #[error("{0} is not a trustee of this registry")]
    NotTrustee(Login),
    /// Nobody can say at present.
    #[error("GitHub cannot be asked who the bearer is")]
    Unavailable {
        /// When to come back, if known.
        retry_at: Option<Timestamp>,
        /// What GitHub answered, or our own settings lack.
        #[source]
        cause: Error,
    },
}

/// An answer that is remembered.
#[derive(Debug, Clone)]
enum Answer {
    Trustee(Login),
    NotTrustee(Login),
    NoPerson,
    UnknownToken,
    /// The token's own rate limit is used up.
    RateLimited,
}

#[derive(Debug, Default)]
struct Memory {
    /// With the time at which each is forgotten.
    answers: HashMap<Sha256, (Answer, Timestamp)>,
    /// Tokens unknown to GitHub since the minute began.
    unknown: u32,
    minute: Option<Timestamp>,
}

impl Trustees {
    /// Makes the judge of tokens. `client` is one of the same `config`.
    pub fn new(client: Client, config: &Config, clock: Clock) -> Self {
        Self {
            client,
            bot: config.bot.clone(),
            has_team: config.team.is_some(),
            limits: config.limits.clone(),
            clock,
            memory: Arc::default(),
        }
    }

    /// Returns the trustee who bears `bearer_token`.
    ///
    /// Somebody who leaves the team stays a trustee here for [`Limits::trusted_for`] at most.
    ///
    /// # Errors
    /// See [`TrusteeError`]: whoever cannot be shown to be a trustee is none.
    pub async fn who(&self, bearer_token: &str) -> Result<Login, TrusteeError> {
        let token: Token = bearer_token.parse().map_err(TrusteeError::Malformed)?;
        let digest = token.digest();
        let now = self.clock.now();
        if let Some((answer, until)) = self.memory().find(digest, now) {
            return answer.into_result(until);
        }
        self.memory().admit(now, &self.limits)?;
        let (answer, until) = self.ask(&token).await?;
        let mut memory = self.memory();
        if matches!(answer, Answer::UnknownToken) {
            memory.unknown += 1;
        }
        memory.keep(digest, answer.clone(), until, now);
        answer.into_result(until)
    }

    /// Asks GitHub; returns the answer and until when it is remembered.
    async fn ask(&self, token: &Token) -> Result<(Answer, Timestamp), TrusteeError> {
        let owner = self.client.owner_of(token).await;
        let after = |duration: std::time::Duration| {
            let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            self.clock.now().plus_millis(millis)
        };
        let refused = after(self.limits.refused_for);
        let login = match owner {
            Ok(login) => login,
            Err(Error::Unauthorized) => return Ok((Answer::UnknownToken, refused)),
            Err(Error::Refused {
                status: StatusCode::FORBIDDEN,
                ..
            }) => return Ok((Answer::NoPerson, refused)),
            Err(Error::RateLimited { until }) => return Ok((Answer::RateLimited, until)),
            Err(cause) => return Err(unavailable(cause)),
        };
        let trusted = self.bot.as_ref() == Some(&login)
            || (self.has_team && self.client.is_team_member(&login).await.map_err(unavailable)?);
        Ok(if trusted {
            (Answer::Trustee(login), after(self.limits.trusted_for))
        } else {
            (Answer::NotTrustee(login), refused)
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing in here panics halfway.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(cause: Error) -> TrusteeError {
    TrusteeError::Unavailable {
        retry_at: cause.retry_at(),
        cause,
    }
}

impl Answer {
    fn into_result(self, until: Timestamp) -> Result<Login, TrusteeError> {
        match self {
            Self::Trustee(login) => Ok(login),
            Self::NotTrustee(login) => Err(TrusteeError::NotTrustee(login)),
            Self::NoPerson => Err(TrusteeError::NoPerson),
            Self::UnknownToken => Err(TrusteeError::UnknownToken),
            Self::RateLimited => Err(unavailable(Error::RateLimited { until })),
        }
    }
}

impl Memory {
    fn find(&self, token: Sha256, now: Timestamp) -> Option<(Answer, Timestamp)> {
        self.answers
            .get(&token)
            .filter(|(_, until)| now < *until)
            .cloned()
    }

    /// Refuses to look up more strangers when many came with tokens that do not exist.
    fn admit(&mut self, now: Timestamp, limits: &Limits) -> Result<(), TrusteeError> {
        let end = |minute: Timestamp| minute.plus_millis(MINUTE_MILLIS);
        if self.minute.is_none_or(|minute| now >= end(minute)) {
            self.minute = Some(now);
            self.unknown = 0;
        }
        match self.minute {
            Some(minute) if self.unknown >= limits.unknown_tokens_per_minute => {
                Err(unavailable(Error::RateLimited { until: end(minute) }))
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, token: Sha256, answer: Answer, until: Timestamp, now: Timestamp) {
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.retain(|_, (_, until)| now < *until);
        }
        if self.answers.len() >= MAX_ANSWERS {
            // Refusals end sooner, so a flood of made-up tokens pushes out others like it and no trustee.
            let first = self.answers.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(first) = first.map(|(token, _)| *token) {
                self.answers.remove(&first);
            }
        }
        self.answers.insert(token, (answer, until));
    }
}
