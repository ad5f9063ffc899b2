//! What can be chosen. It stands in the address, so that a view can be shared.

use maud::html;

use super::Place;

/// A choice among names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its parameter in the address.
    pub name: &'static str,
    /// What people see.
    pub label: &'static str,
    /// What stands in the address now; empty for all.
    pub chosen: String,
    /// What can be chosen.
    pub known: Vec<String>,
    /// What stands for no choice.
    pub all: &'static str,
}

/// A text to fill in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// Its parameter in the address.
    pub name: &'static str,
    /// What people see.
    pub label: &'static str,
    /// What stands in the address now.
    pub value: String,
    /// What holds if nothing is filled in.
    pub placeholder: &'static str,
}

/// A form that leads to the same page with other parameters.
pub fn form(place: Place, choices: &[Choice], fields: &[Field]) -> String {
    html! {
        form action=(place.path()) method="get" role="search" aria-label="What is shown" {
            @for choice in choices {
                label {
                    (choice.label)
                    select name=(choice.name) {
                        option value="" selected[choice.chosen.is_empty()] { (choice.all) }
                        // One that is not known, or several, stands there all the same: it is what is shown.
                        @if !choice.chosen.is_empty() && !choice.known.contains(&choice.chosen) {
                            option value=(choice.chosen) selected { (choice.chosen) }
                        }
                        @for known in &choice.known {
                            option value=(known) selected[*known == choice.chosen] { (known) }
                        }
                    }
                }
            }
            @for field in fields {
                label {
                    (field.label)
                    input name=(field.name) value=(field.value) placeholder=(field.placeholder) autocomplete="off" spellcheck="false" maxlength="64";
                }
            }
            button type="submit" { "Show" }
        }
    }
    .into_string()
}
