//! Budgets: set and taken away by owners and admins, written down in the audit log.

use goblin_core::budget::Rule;
use goblin_core::error::ApiError;
use goblin_core::money::dollars;
use goblin_store::audit::NewAudit;
use goblin_store::budgets::BudgetRow;

use super::{Identity, deed};
use crate::principal::Principal;
use crate::visit::Visit;

impl Identity {
    /// The tenant's budgets.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_budgets(&self, caller: &Principal) -> Result<Vec<BudgetRow>, ApiError> {
        Ok(self.store().list_budgets(&caller.owner.tenant).await?)
    }

    /// Sets a budget, in the place of the one for the same spending and period.
    ///
    /// # Errors
    /// 409 when there are as many as there may be.
    pub async fn set_budget(
        &self,
        caller: &Principal,
        visit: &Visit,
        rule: &Rule,
    ) -> Result<BudgetRow, ApiError> {
        let audit = NewAudit {
            detail: Some(format!(
                "{} {}: {} USD a {}, then {}",
                rule.kind.as_str(),
                rule.subject,
                dollars(rule.limit),
                rule.period.as_str(),
                rule.on_reached.as_str()
            )),
            ..deed(&caller.owner, "budget.set", None, visit)
        };
        let owner = &caller.owner;
        Ok(self
            .store()
            .put_budget(&owner.tenant, rule, &owner.user, &audit)
            .await?)
    }

    /// Takes a budget away.
    ///
    /// # Errors
    /// 404.
    pub async fn delete_budget(&self, caller: &Principal, visit: &Visit, id: &str) -> Result<(), ApiError> {
        let audit = deed(&caller.owner, "budget.removed", Some(id), visit);
        Ok(self
            .store()
            .delete_budget(&caller.owner.tenant, id, &audit)
            .await?)
    }
}
