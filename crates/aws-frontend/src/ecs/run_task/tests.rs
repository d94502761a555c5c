//! RunTask over a stand-in placer: what is accepted, what is refused, what fails, and what a repetition does.

mod accepted;
mod failures;
mod refused;
mod tokens;
