//! What keys do.

use hafen_screen::{Act, Answer, Ask, Screen, View};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::cluster::{Cluster, event};
use crate::{press, screen_of, seen};

fn chosen(screen: &Screen) -> String {
    let seen = seen(screen, 80, 24);
    let line = seen.lines().find(|line| line.starts_with('>')).unwrap_or_default();
    line.trim_start_matches(['>', '!', '*', '~', ' ', '+', '-'])
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn keys_that_end_it() {
    let mut screen = screen_of(&Cluster::healthy());
    assert_eq!(press(&mut screen, "q"), Some(Ask::Quit));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut screen, "/x");
    assert_eq!(screen.handle(control_c), Some(Ask::Quit), "whatever is open");
}

#[test]
fn the_chosen_resource_stays_chosen_when_others_come_and_go() {
    let mut cluster = Cluster::healthy();
    let mut screen = screen_of(&cluster);
    press(&mut screen, "jj");
    assert_eq!(chosen(&screen), "web");
    let mut other = Cluster::new(3);
    other.machine("aaa", Some("host1"));
    other.machine("web", Some("host2"));
    screen.show(other.picture());
    assert_eq!(chosen(&screen), "web");
    cluster.forget("web");
    screen.show(cluster.picture());
    assert_eq!(chosen(&screen), "web");
}

#[test]
fn what_is_folded_stays_folded() {
    let cluster = Cluster::healthy();
    let mut screen = screen_of(&cluster);
    assert!(seen(&screen, 80, 24).contains("store"));
    press(&mut screen, "jjj\n");
    assert_eq!(chosen(&screen), "shop");
    assert!(!seen(&screen, 80, 24).contains("store"));
    screen.show(cluster.picture());
    assert!(!seen(&screen, 80, 24).contains("store"), "also with a new picture");
    assert!(!seen(&screen, 80, 24).contains("ping"), "a clone in which nothing is wrong is folded by itself");
    press(&mut screen, " j ");
    let seen = seen(&screen, 80, 24);
    assert!(seen.contains("store"), "{seen}");
}

#[test]
fn a_clone_in_which_something_is_wrong_is_unfolded_by_itself() {
    let mut cluster = Cluster::healthy();
    cluster.failed("ping", "host1", "no answer", "");
    let seen = seen(&screen_of(&cluster), 80, 24);
    assert!(seen.contains("- net") && seen.contains("ping"), "{seen}");
}

#[test]
fn what_is_stopped_on_purpose_is_shown_when_it_is_asked_for() {
    let mut screen = screen_of(&Cluster::healthy());
    let before = seen(&screen, 80, 24);
    assert!(before.contains("1 stopped on purpose") && !before.contains(" old "), "{before}");
    press(&mut screen, "i");
    let after = seen(&screen, 80, 24);
    assert!(
        after.contains(" old ") && after.contains("(disabled)") && !after.contains("on purpose"),
        "{after}"
    );
    let mut screen = Screen::new(View { with_idle: true, ..View::default() });
    screen.show(Cluster::healthy().picture());
    assert!(seen(&screen, 80, 24).contains(" old "), "or from the beginning");
}

#[test]
fn a_key_leads_from_one_broken_resource_to_the_next() {
    let mut cluster = Cluster::new(3);
    for number in 0..200 {
        cluster.machine(&format!("vm{number}"), (number % 80 != 79).then_some("host1"));
    }
    let mut screen = screen_of(&cluster);
    for wanted in ["vm79", "vm159", "vm79"] {
        press(&mut screen, "w");
        assert_eq!(chosen(&screen), wanted);
    }
    let mut screen = screen_of(&Cluster::healthy());
    press(&mut screen, "jw");
    assert_eq!(chosen(&screen), "mail");
    assert!(seen(&screen, 80, 24).contains("No resource that is shown has anything wrong"));
}

#[test]
fn a_filter_looks_at_names_states_and_hosts() {
    let mut screen = screen_of(&Cluster::healthy());
    let rows = |screen: &Screen| {
        let text = seen(screen, 120, 40);
        let lines = text.lines().skip_while(|line| !line.starts_with("-- Resources")).skip(1);
        lines.take_while(|line| !line.is_empty() && !line.starts_with("--")).count()
    };
    press(&mut screen, "/WEB\n");
    assert_eq!(rows(&screen), 1, "capitals do not matter");
    press(&mut screen, "\u{1b}/store\n");
    assert_eq!(rows(&screen), 2, "with the group that it is in");
    press(&mut screen, "\u{1b}/shop\n");
    assert_eq!(rows(&screen), 3, "with what is in it");
    press(&mut screen, "\u{1b}/stopped\n");
    assert_eq!(rows(&screen), 1, "what is asked for is shown though it is stopped on purpose");
    press(&mut screen, "q");
    press(&mut screen, "/\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}mail");
    assert_eq!(rows(&screen), 1);
    press(&mut screen, "\u{1b}");
    assert!(rows(&screen) > 4, "Esc shows all again");
}

#[test]
fn an_explanation_is_asked_for_and_read() {
    let mut screen = screen_of(&Cluster::healthy());
    assert_eq!(press(&mut screen, "je"), Some(Ask::Explain { resource: "mail".into() }));
    assert_eq!(press(&mut screen, "e"), None, "it is asked for once");
    screen.answer(Answer::Explained { resource: "mail".into(), text: Ok("Because.".into()) });
    assert!(seen(&screen, 80, 24).contains("Because."));
    assert_eq!(press(&mut screen, "q"), None, "back, not out");
    assert_eq!(chosen(&screen), "mail");
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped() {
    let mut screen = screen_of(&Cluster::healthy());
    press(&mut screen, "e\u{1b}");
    screen.answer(Answer::Explained { resource: "db".into(), text: Ok("Because.".into()) });
    assert!(!seen(&screen, 80, 24).contains("Because."));
    press(&mut screen, "c\u{1b}");
    let act = Act::CleanUp { resource: "db".into() };
    screen.answer(Answer::Previewed { act: act.clone(), lines: Ok(vec!["forgets".into()]) });
    assert_eq!(press(&mut screen, "y"), None, "nothing that was left is done");
}

#[test]
fn a_move_is_made_after_its_preview_and_a_yes_alone() {
    let mut screen = screen_of(&Cluster::healthy());
    assert_eq!(press(&mut screen, "m"), None);
    let hosts = seen(&screen, 80, 24);
    assert!(!hosts.contains("host1 "), "where it runs it is not moved: {hosts}");
    let act = Act::Move { resource: "db".into(), host: "host3".into() };
    assert_eq!(press(&mut screen, "j\n"), Some(Ask::Preview(act.clone())));
    assert_eq!(press(&mut screen, "y"), None, "not before it is seen what it leads to");
    screen.answer(Answer::Previewed { act: act.clone(), lines: Ok(vec!["Move db".into()]) });
    assert_eq!(press(&mut screen, "\n"), None, "Enter is no yes");
    assert_eq!(press(&mut screen, "n"), None);
    assert!(seen(&screen, 80, 24).contains("Nothing was done"));
    press(&mut screen, "mj\n");
    screen.answer(Answer::Previewed { act: act.clone(), lines: Ok(vec!["Move db".into()]) });
    assert_eq!(press(&mut screen, "y"), Some(Ask::Act(act.clone())));
    screen.answer(Answer::Acted { act, said: Ok("A constraint stays.".into()) });
    let after = seen(&screen, 80, 24);
    assert!(after.contains("DONE: Move db to host3. A constraint stays."), "{after}");
}

#[test]
fn what_is_refused_is_read_with_its_reason() {
    let mut screen = screen_of(&Cluster::healthy());
    let act = Act::CleanUp { resource: "db".into() };
    assert_eq!(press(&mut screen, "c"), Some(Ask::Preview(act.clone())));
    screen.answer(Answer::Previewed { act: act.clone(), lines: Ok(vec!["forgets".into()]) });
    assert_eq!(press(&mut screen, "y"), Some(Ask::Act(act.clone())));
    screen.answer(Answer::Acted { act, said: Err("Permission denied".into()) });
    let seen = seen(&screen, 80, 24);
    assert!(seen.contains("Clean up db: it was refused") && seen.contains("Permission denied"), "{seen}");
}

#[test]
fn a_failure_is_cleaned_up_where_it_is_read() {
    let mut cluster = Cluster::healthy();
    cluster.failed("mail", "host2", "no answer", "");
    let mut screen = screen_of(&cluster);
    press(&mut screen, "f");
    let mut asked = None;
    // Whichever line is about it first.
    for _ in 0..5 {
        asked = press(&mut screen, "c");
        if asked.is_some() {
            break;
        }
        press(&mut screen, "j");
    }
    assert_eq!(asked, Some(Ask::Preview(Act::CleanUp { resource: "mail".into() })));
}

#[test]
fn where_no_resource_is_chosen_a_word_says_so() {
    let mut screen = screen_of(&Cluster::new(3));
    for (key, what) in [("e", "explain"), ("m", "move"), ("c", "clean up")] {
        assert_eq!(press(&mut screen, key), None);
        assert!(seen(&screen, 80, 24).contains(&format!("Choose a resource (up, down) to {what}")), "{key}");
    }
    let mut empty = Screen::new(View::default());
    assert_eq!(press(&mut empty, "jkGg\nemcnif?q/x\n"), None, "nothing to look at, nothing breaks");
}

#[test]
fn who_reads_an_old_event_goes_on_reading_it() {
    let mut screen = screen_of(&Cluster::healthy());
    for number in 1..=5 {
        screen.happened(event(number, "result", "db", &format!("result {number}"), ""));
    }
    press(&mut screen, "fffjj");
    let line = |screen: &Screen| {
        seen(screen, 80, 24).lines().find(|line| line.starts_with('>')).map(str::to_owned).unwrap_or_default()
    };
    let before = line(&screen);
    assert!(before.contains("result 3"), "{before}");
    screen.happened(event(6, "result", "db", "result 6", ""));
    assert_eq!(line(&screen), before);
}

#[test]
fn what_agents_write_does_not_reach_the_terminal_as_commands() {
    let mut cluster = Cluster::healthy();
    cluster.failed("db", "host1", "\u{1b}[2Jgone\u{7}", "\u{1b}]0;title\u{7}x\u{9b}31m");
    let mut screen = screen_of(&cluster);
    for pane in ["", "f", "f", "f"] {
        press(&mut screen, pane);
        let seen = seen(&screen, 80, 24);
        assert!(!seen.chars().any(|char| char.is_control() && char != '\n'), "{seen:?}");
    }
}
