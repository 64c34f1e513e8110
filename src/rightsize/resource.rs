//! The verdict on one resource of a workload: what it asked for, what it should, and why.

use serde::{Deserialize, Serialize};

use crate::identity::autoscaler::{self, Autoscaler};

/// How what was asked for compares with what is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Provisioning {
    /// It requests more than it needs.
    #[serde(rename = "over_provisioned")]
    Over,
    /// It requests less.
    #[serde(rename = "under_provisioned")]
    Under,
    /// It requests about what it needs.
    #[serde(rename = "fits")]
    Fits,
    /// It requests nothing.
    #[serde(rename = "no_request")]
    Unset,
    /// There is not enough history, or what it requests is not known here.
    #[serde(rename = "no_verdict")]
    Unknown,
}

impl Provisioning {
    /// As people read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Over => "over-provisioned",
            Self::Under => "under-provisioned",
            Self::Fits => "fits",
            Self::Unset => "no request",
            Self::Unknown => "no verdict",
        }
    }
}

/// One number and what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// What is set; `None` if nothing is.
    pub from: Option<f64>,
    /// What should be.
    pub to: f64,
}

/// One resource of a workload; CPU in cores, memory in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resource {
    /// What it asked for: its request, else its limit.
    pub requested: Option<f64>,
    /// What it should ask for. `None` without enough history.
    pub recommended: Option<f64>,
    /// The verdict.
    pub provisioning: Provisioning,
    /// Why, in one sentence.
    pub reason: String,
    /// What speaks for it was seen and is no guess from a short history.
    pub evidence: bool,
    /// What following it saves in a month; below zero where it costs more.
    pub saving: f64,
    /// Enough speaks for it to act on; else it is worth a look.
    pub confirmed: bool,
    /// Its request, where that is to change.
    pub request: Option<Change>,
    /// Its limit, where that is to change.
    pub limit: Option<Change>,
    /// What sets it, or goes by it, and so is not to be fought: there is no patch then, and nothing is saved by one.
    pub managed_by: Option<String>,
}

impl Resource {
    /// Without a verdict. With one it is this, and what speaks for it; its money and whether it is confirmed come with `assess`.
    pub(super) fn unknown(requested: Option<f64>, reason: String) -> Self {
        Self {
            requested,
            recommended: None,
            provisioning: Provisioning::Unknown,
            reason,
            evidence: false,
            saving: 0.0,
            confirmed: false,
            request: None,
            limit: None,
            managed_by: None,
        }
    }

    /// Leaves it to an autoscaler that acts on it: the verdict stays, and nothing is to be patched.
    pub(super) fn leave_to(&mut self, autoscaler: Option<&Autoscaler>) {
        let Some(autoscaler) = autoscaler else { return };
        let does = if autoscaler.kind == autoscaler::HORIZONTAL { "adds pods by its use" } else { "sets it" };
        self.reason = format!("{}; {} {does}: change that, not the request", self.reason, autoscaler.title());
        (self.request, self.limit) = (None, None);
        self.managed_by = Some(autoscaler.title());
    }

    /// Something is to change.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(self.provisioning, Provisioning::Over | Provisioning::Under | Provisioning::Unset)
            && self.recommended.is_some()
            && self.managed_by.is_none()
    }

    /// It is over- or under-provisioned.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self.provisioning, Provisioning::Over | Provisioning::Under)
    }

    /// What it will ask for once the recommendation is followed. What asks for nothing goes on to be paid for by what it uses.
    pub(super) fn followed(&self) -> Option<f64> {
        if self.acts() && self.managed_by.is_none() { self.recommended.or(self.requested) } else { self.requested }
    }
}
