//! What the tools around us make of our conditions: every row of docs/argocd.md, from statuses that the planner wrote.

mod argocd;
mod kstatus;
mod situations;
