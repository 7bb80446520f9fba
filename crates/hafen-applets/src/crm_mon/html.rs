//! The lists as a page for a browser, with line breaks where Pacemaker's page has them.

use super::{HTML_CGI, HTML_STYLE, HTML_TITLE};
use crate::options::Given;
use crate::output::content;

/// The page's own look.
const STYLE: &str = ".bold { font-weight: bold }\n.online { color: green }\n.offline { color: red }\n\
    .maint { color: blue }\n.standby { color: blue }\n.health_red { color: red }\n.health_yellow { color: GoldenRod }\n\
    .rsc-failed { color: red }\n.rsc-failure-ignored { color: DarkGreen }\n.rsc-managed { color: blue }\n\
    .rsc-multiple { color: orange }\n.rsc-ok { color: green }\n.warning { color: red; font-weight: bold }";

pub(super) fn page(text: &str, given: &Given) -> String {
    let mut page = String::new();
    if given.has(HTML_CGI) {
        page += "Content-Type: text/html\n\n";
    }
    let title = content(given.value(&[HTML_TITLE]).unwrap_or("Cluster Status"));
    page += &format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>{title}</title>\n<meta charset=\"utf-8\">\n\
         <style>{STYLE}</style>\n"
    );
    if let Some(style) = given.value(&[HTML_STYLE]) {
        page += &format!("<link rel=\"stylesheet\" href=\"{}\">\n", content(style).replace('"', "&quot;"));
    }
    page += "</head>\n";
    page + &body(text) + "\n</html>\n"
}

/// An item of a list, and the list below it.
struct Item<'t> {
    content: &'t str,
    below: Vec<Item<'t>>,
}

fn body(text: &str) -> String {
    let lines: Vec<(usize, &str)> = text.lines().filter(|line| !line.is_empty()).map(depth).collect();
    let mut body = String::new();
    for Item { content, below } in &items(&mut lines.as_slice(), 0) {
        body += &format!("{}\n{}\n", content.replace("h3>", "h2>"), list(below));
    }
    if body.is_empty() { "<body></body>".to_owned() } else { format!("<body>\n{body}</body>") }
}

/// How deep a line is in lists, and its content.
fn depth(line: &str) -> (usize, &str) {
    let rest = line.trim_start_matches(' ');
    match rest.strip_prefix("* ") {
        Some(content) => ((line.len() - rest.len()) / 2, content),
        None => (0, line),
    }
}

/// Takes the items that are so deep, with all that is below them.
fn items<'t>(lines: &mut &[(usize, &'t str)], at: usize) -> Vec<Item<'t>> {
    let mut items = Vec::new();
    while let Some((&(depth, content), rest)) = lines.split_first()
        && depth >= at
    {
        *lines = rest;
        items.push(Item { content, below: self::items(lines, depth + 1) });
    }
    items
}

fn list(items: &[Item<'_>]) -> String {
    let items: Vec<String> = items.iter().map(item).collect();
    match items.len() {
        0 | 1 => format!("<ul>{}</ul>", items.concat()),
        _ => format!("<ul>\n{}\n</ul>", items.join("\n")),
    }
}

fn item(Item { content, below }: &Item<'_>) -> String {
    if content.starts_with("<h3>") {
        return format!("<li>\n{content}\n{}\n</li>", list(below));
    }
    let inner = below.iter().map(item).collect::<Vec<_>>().join("\n");
    if content.matches("<span").count() + below.len() > 1 {
        format!("<li>\n{content}{inner}\n</li>")
    } else {
        format!("<li>{content}{inner}</li>")
    }
}
