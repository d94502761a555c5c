//! What a task shows in each state of its Unit, and that no state breaks the conversion.

mod property;
mod shown;
