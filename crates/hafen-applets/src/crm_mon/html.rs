//! The text as a page for a browser: titles become headings, lists stay lists.

use super::{HTML_CGI, HTML_STYLE, HTML_TITLE};
use crate::options::Given;
use crate::output::content;

/// The page's own look.
const STYLE: &str = ".bold { font-weight: bold }\n.online { color: green }\n.offline { color: red }\n\
    .maint { color: blue }\n.standby { color: blue }\n.health_red { color: red }\n.health_yellow { color: GoldenRod }\n\
    .rsc-failed { color: red }\n.rsc-failure-ignored { color: DarkGreen }\n.rsc-managed { color: blue }\n\
    .rsc-multiple { color: orange }\n.rsc-ok { color: green }\n.warning { color: red; font-weight: bold }\n";

pub(super) fn page(text: &str, given: &Given) -> String {
    let mut page = String::new();
    if given.has(HTML_CGI) {
        page += "Content-Type: text/html\n\n";
    }
    let title = content(given.value(&[HTML_TITLE]).unwrap_or("Cluster Status"));
    page += &format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>{title}</title>\n<meta charset=\"utf-8\">\n\n\
         <style>{STYLE}</style>\n"
    );
    if let Some(style) = given.value(&[HTML_STYLE]) {
        page += &format!("<link rel=\"stylesheet\" href=\"{}\">\n", content(style).replace('"', "&quot;"));
    }
    page += "</head>\n<body>\n";
    body(text, &mut page);
    page + "</body>\n</html>\n"
}

/// How deep a line is in lists, and its words.
fn depth(line: &str) -> (usize, &str) {
    let rest = line.trim_start_matches(' ');
    match rest.strip_prefix("* ") {
        Some(words) => ((line.len() - rest.len()) / 2, words),
        None => (0, line),
    }
}

fn body(text: &str, page: &mut String) {
    let lines: Vec<(usize, &str)> = text.lines().filter(|line| !line.is_empty()).map(depth).collect();
    let mut open = 0;
    for (index, (at, words)) in lines.iter().enumerate() {
        while open > *at {
            *page += "</ul>\n";
            open -= 1;
            if open > 0 {
                *page += "</li>\n";
            }
        }
        if *at == 0 {
            *page += &format!("<h2>{}</h2>\n", content(words.trim().trim_end_matches(':')));
            continue;
        }
        if open < *at {
            *page += "<ul>\n";
            open = *at;
        }
        if lines.get(index + 1).is_some_and(|(next, _)| next > at) {
            *page += &format!("<li>\n<h3>{}</h3>\n", content(words.trim_end_matches(':')));
        } else {
            *page += &format!("<li>{}</li>\n", content(words));
        }
    }
    while open > 0 {
        *page += "</ul>\n";
        open -= 1;
        if open > 0 {
            *page += "</li>\n";
        }
    }
}
