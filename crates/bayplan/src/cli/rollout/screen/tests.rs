//! What is written, byte by byte.

use super::*;
use crate::cli::rollout::testing::view;
use crate::roles::admin::rollout::view::{EventView, State};

fn state(view: View) -> Told {
    Told::State(Box::new(State { at_ms: view.created_at_ms + 1500, view }))
}

fn said(message: &str) -> Told {
    Told::Event(EventView { number: 7, at_ms: view().created_at_ms + 1500, message: message.to_owned() })
}

#[test]
fn without_a_terminal_it_says_the_header_once_and_then_what_changes() {
    let first = lines(None, &state(view()));
    assert!(first.starts_with("Service web in cluster default: hello:1 -> hello:2\n"));
    assert!(first.ends_with("    1.5 s  active hello:1: 2 desired; 2 running, 2 healthy\n"));
    let mut next = view();
    next.failures = 2;
    assert_eq!(lines(Some(&view()), &state(next)), "    1.5 s  2 failures; the circuit breaker trips at 3\n");
    assert_eq!(lines(Some(&view()), &said("(service web) rolling back.")), "    1.5 s  rolling back.\n");
}

#[test]
fn a_terminal_is_drawn_over_and_events_stay_above() {
    let mut terminal = Terminal::default();
    let first = terminal.draw(None, &state(view()), (100, 40));
    assert!(first.starts_with("Service web") && !first.contains('\x1b'));
    assert_eq!(terminal.drawn, 4);
    let event = terminal.draw(Some(&view()), &said("(service web) has started."), (100, 40));
    assert!(event.starts_with("\x1b[4A\r\x1b[J    1.5 s  has started.\n  SET"), "{event:?}");
    let mut next = view();
    next.sets.pop();
    let drawn = terminal.draw(Some(&view()), &state(next), (100, 40));
    assert!(drawn.starts_with("\x1b[4A\r\x1b[J  SET"), "{drawn:?}");
    assert_eq!(terminal.drawn, 3);
}

#[test]
fn no_line_of_the_block_wraps_and_it_never_fills_the_terminal() {
    let mut terminal = Terminal::default();
    let drawn = terminal.draw(Some(&view()), &state(view()), (20, 3));
    assert_eq!(drawn, "  SET      DEFINITI\n  primary  hello:2 \n");
    assert_eq!(terminal.drawn, 2);
}

#[test]
fn the_last_line_says_what_happened_and_what_to_type() {
    let ending = Ending::of(&view());
    let last = Screen::Lines.end(&view(), &ending).unwrap();
    assert!(last.ends_with(" Next: bayplan rollout web\n"), "{last}");
    let json: serde_json::Value = serde_json::from_str(&Screen::Json.end(&view(), &ending).unwrap()).unwrap();
    assert_eq!((&json["type"], &json["status"], &json["exitCode"]), (&"end".into(), &"IN_PROGRESS".into(), &6.into()));
    assert_eq!(json["next"], "bayplan rollout web");
}
