//! A class as one page of HTML, for people: a table of learners and levels, and behind
//! each of its cells the diagnosis. It needs nothing but itself, and runs no script:
//! what is open is the address's fragment (`#d3`), and the style sheet does the rest.
//!
//! What several learners have in common, to the letter, is on the page once. In this
//! order: the whole page (here), which outcomes there are (`outcomes`), and how one is
//! shown (`diagnosis`).

mod diagnosis;
mod outcomes;
mod spill;

use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use report::{GradedLevel, Machine};

use self::outcomes::{Learner, Outcomes, Shared};
use super::signs::{Kind, Sign, UNSTEADY, WAITS};
use super::tally::{Mistake, Tally, Trouble, Variant};
use super::words::count;
use super::{Class, Head, text, words};

const STYLE: &str = include_str!("class.css");
/// Nothing is loaded, nothing is run, nothing is sent: even if text of others became
/// HTML, it could do nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'";
/// So many mistakes are told in full; the others have a line each.
const MISTAKES: usize = 10;
/// So many explanations of one.
const VARIANTS: usize = 3;

/// Write the page.
///
/// Errors: the class can't be read, the page can't be written, or there is no room for
/// temporary files.
pub fn write(class: &dyn Class, out: &mut dyn Write) -> Result<()> {
    let head = class.head();
    let mut outcomes = Outcomes::new(head)?;
    let mut tally = Tally::new(head);
    class.each(&mut |mut submission| {
        let new = outcomes.add(&mut submission)?;
        // Examples that differ teach more.
        tally.count(&submission, &new);
        Ok(())
    })?;
    outcomes.sort();
    let mut page = Page {
        head,
        outcomes,
        tally,
        out: BufWriter::new(out),
    };
    page.write()?;
    page.out.flush().context("write the page")
}

struct Page<'a> {
    head: &'a Head,
    outcomes: Outcomes<'a>,
    tally: Tally<'a>,
    out: BufWriter<&'a mut dyn Write>,
}

impl Page<'_> {
    /// The parts, in their order. A page of a thousand learners is never in memory.
    fn write(&mut self) -> Result<()> {
        self.say(self.top())?;
        self.table()?;
        self.say(self.levels())?;
        self.say(self.mistakes())?;
        self.say(self.troubles())?;
        self.say(self.unsteady())?;
        self.notes()?;
        self.say(self.machines())?;
        self.diagnoses()?;
        self.raw("</main></body></html>\n")
    }

    fn raw(&mut self, text: &str) -> Result<()> {
        let bytes = text.as_bytes();
        self.out.write_all(bytes).context("write the page")
    }

    fn say(&mut self, markup: Markup) -> Result<()> {
        self.raw(&markup.into_string())?;
        self.raw("\n")
    }

    fn outcome(&self, at: usize) -> &Shared {
        &self.outcomes.all[at]
    }

    fn level(&self, at: usize) -> &GradedLevel {
        &self.head.levels[at]
    }

    /// Everything above the table. `<html>` and `<main>` stay open.
    fn top(&self) -> Markup {
        let learners = count(self.outcomes.learners.len(), "learner");
        html! {
            (DOCTYPE)
            (PreEscaped("<html lang=\"en\">"))
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "Rubber Crab: a class of " (learners) }
                style { (PreEscaped(STYLE)) (PreEscaped(signs())) }
            }
            (PreEscaped("<body>"))
            header {
                p.kicker { "Rubber Crab · class report" }
                h1 { (learners) ", " (count(self.head.levels.len(), "level")) }
                @if let Some(missing) = words::missing(self.head) {
                    p.missing { strong { "Not the whole class:" } " " (missing) "." }
                }
                (self.summary())
                (self.contents())
            }
            (PreEscaped("<main>"))
        }
    }

    /// How it went, in one paragraph.
    fn summary(&self) -> Markup {
        let outcomes = &self.outcomes.all;
        let have = |fits: fn(&Shared) -> bool| -> usize {
            let fitting = outcomes.iter().filter(|shared| fits(shared));
            fitting.map(|shared| shared.learners.len()).sum()
        };
        let passed = have(|shared| shared.kind == Kind::Pass);
        let untouched = have(|shared| shared.kind == Kind::Untouched);
        let judged = have(|shared| {
            matches!(shared.kind, Kind::Pass | Kind::Fail | Kind::Unbuilt)
        });
        let counted = self.outcomes.learners.iter().filter(|one| one.of > 0.0);
        let mut shares: Vec<u32> = counted.map(share).collect();
        shares.sort_unstable();
        html! {
            p.summary {
                b { (passed) " of " (judged) } " judged levels pass"
                @if untouched > 0 { "; " b { (untouched) } " " (Kind::Untouched.word()) }
                @if let Some(middle) = shares.get(shares.len() / 2) {
                    "; half of the learners have "
                    b { (middle) " %" } " of their points or more"
                }
                ". What a machine can't show counts neither for nor against."
            }
        }
    }

    fn contents(&self) -> Markup {
        let (outcomes, tally) = (&self.outcomes, &self.tally);
        let unsteady = outcomes.all.iter().any(|shared| shared.unsteady);
        let notes = outcomes.learners.iter().any(|one| one.notes.is_some());
        let machines = match self.several_machines() {
            true => "Machines",
            false => "Machine",
        };
        let parts = [
            ("learners", "Learners", true),
            ("levels", "Levels", true),
            ("mistakes", "Common mistakes", !tally.mistakes().is_empty()),
            ("troubles", "Not judged", !tally.troubles().is_empty()),
            ("unsteady", "Unsteady verdicts", unsteady),
            ("notes", "Notes", notes),
            ("machines", machines, true),
            ("diagnoses", "All diagnoses", !outcomes.all.is_empty()),
        ];
        html! {
            nav aria-label="Contents" {
                ul {
                    @for (id, title, _) in parts.iter().filter(|(_, _, is)| *is) {
                        li { a href=(format!("#{id}")) { (title) } }
                    }
                }
            }
        }
    }

    /// The table, row by row.
    fn table(&mut self) -> Result<()> {
        self.raw("<section aria-labelledby=\"learners\">\n")?;
        self.say(html! {
            h2 #learners { "Learners" }
            (legend())
        })?;
        self.raw("<div class=\"pane\" role=\"region\" ")?;
        self.raw("aria-labelledby=\"learners\" tabindex=\"0\">\n")?;
        self.raw("<table class=\"class\">\n")?;
        self.say(self.table_head())?;
        self.raw("<tbody>\n")?;
        for at in 0..self.outcomes.learners.len() {
            self.say(self.row(at, &self.outcomes.learners[at]))?;
        }
        if self.outcomes.learners.is_empty() {
            let columns = self.head.levels.len() + 3;
            self.say(html! { tr { td colspan=(columns) { "Nobody." } } })?;
        }
        self.raw("</tbody></table></div></section>\n")
    }

    fn table_head(&self) -> Markup {
        let all = self.outcomes.learners.len();
        html! {
            thead {
                tr {
                    th scope="col" { "Learner" }
                    th scope="col" { "Points" }
                    @if self.several_machines() { th scope="col" { "Machine" } }
                    @for (at, level) in self.head.levels.iter().enumerate() {
                        th scope="col" title=(level.info.title) {
                            a href=(format!("#v{at}")) {
                                b { (level.info.level) }
                                " " span { (level.info.name) }
                            }
                        }
                    }
                }
                tr.passes {
                    th scope="row" { "Passed" }
                    td { "of " (all) }
                    @if self.several_machines() { td {} }
                    @for at in 0..self.head.levels.len() {
                        @let passed = self.outcomes.count(at, Kind::Pass);
                        td style=(part(passed, all)) { (passed) }
                    }
                }
            }
        }
    }

    fn several_machines(&self) -> bool {
        self.head.machines.len() > 1
    }

    fn row(&self, at: usize, learner: &Learner) -> Markup {
        let number = at + 1;
        html! {
            tr id=(format!("l{number}")) {
                th scope="row" {
                    bdi.name { (learner.name) }
                    @if let Some(notes) = &learner.notes {
                        " " a.aside href=(format!("#n{number}")) {
                            (count(notes.count, "note"))
                        }
                    }
                }
                td style=(format!("--part:{}", share(learner))) {
                    (words::points(learner.points))
                    small { " of " (words::points(learner.of)) }
                }
                @if self.several_machines() {
                    td { a href=(format!("#m{}", learner.machine)) {
                        (learner.machine + 1)
                    } }
                }
                @for outcome in &learner.outcomes { (self.cell(*outcome)) }
            }
        }
    }

    fn cell(&self, outcome: Option<usize>) -> Markup {
        let Some(at) = outcome else {
            return html! { td { span.word { "not judged" } } };
        };
        let outcome = self.outcome(at);
        html! {
            td class=(outcome.kind.word()) {
                a href=(anchor(at)) title=(outcome.gist) {
                    span.word { (outcome.kind.word()) }
                    @if let Some(points) = outcome.points { " " (words::points(points)) }
                    @if let Some(amiss) = &outcome.amiss { " " small { (amiss) } }
                    @if outcome.unsteady { " " (unsteady()) }
                }
            }
        }
    }

    fn levels(&self) -> Markup {
        html! {
            section aria-labelledby="levels" {
                h2 #levels { "Levels" }
                @if self.head.levels.iter().any(|level| !level.info.given.is_empty()) {
                    p {
                        "In a diagnosis, “(given)” stands by a check that held "
                        "before anything was done."
                    }
                }
                div.pane role="region" aria-labelledby="levels" tabindex="0" {
                    table.levels {
                        thead {
                            tr {
                                th scope="col" { "Level" }
                                th scope="col" { "Points" }
                                @for kind in Kind::ALL {
                                    th scope="col" class=(kind.word()) {
                                        span.word { (kind.word()) }
                                    }
                                }
                                td.bar { "Learners" }
                            }
                        }
                        tbody {
                            @for at in 0..self.head.levels.len() { (self.level_row(at)) }
                        }
                    }
                }
            }
        }
    }

    fn level_row(&self, at: usize) -> Markup {
        let level = self.level(at);
        let counts = Kind::ALL.map(|kind| (kind, self.outcomes.count(at, kind)));
        html! {
            tr id=(format!("v{at}")) {
                th scope="row" {
                    b { (level.info.level) } " " (level.info.name)
                    small { (level.info.title) }
                }
                td { (words::points(level.points)) }
                @for (_, count) in counts {
                    td { @if count == 0 { span.none { "0" } } @else { (count) } }
                }
                td.bar aria-hidden="true" {
                    div {
                        @for (kind, count) in counts.iter().filter(|(_, n)| *n > 0) {
                            span class=(kind.word())
                                style=(format!("flex-grow:{count}")) {}
                        }
                    }
                }
            }
        }
    }

    fn mistakes(&self) -> Markup {
        let mistakes = self.tally.mistakes();
        let (first, others) = mistakes.split_at(mistakes.len().min(MISTAKES));
        html! {
            @if !mistakes.is_empty() {
                section aria-labelledby="mistakes" {
                    h2 #mistakes { "Common mistakes" }
                    ol.mistakes {
                        @for mistake in first { li { (self.mistake(mistake)) } }
                    }
                    @if !others.is_empty() {
                        h3 { "Less common" }
                        ul.others {
                            @for mistake in others { li { (self.other(mistake)) } }
                        }
                    }
                }
            }
        }
    }

    /// `05 uts-ns · uts.hostname`
    fn place(&self, mistake: &Mistake) -> Markup {
        let info = &self.level(mistake.level).info;
        html! {
            b { (info.level) " " (info.name) }
            @if let Some((id, _)) = &mistake.check { " · " code { (id) } }
        }
    }

    fn mistake(&self, mistake: &Mistake) -> Markup {
        let mut variants = mistake.variants();
        variants.truncate(VARIANTS);
        let told: usize = variants.iter().map(|one| one.learners.count).sum();
        let left = mistake.learners.count.saturating_sub(told);
        html! {
            h3 {
                span.many { (count(mistake.learners.count, "learner")) } " "
                span { (self.place(mistake)) }
            }
            p.claim {
                @match &mistake.check {
                    Some((_, claim)) => { "What doesn't hold: " (claim) "." }
                    None => "It doesn't compile.",
                }
            }
            @for variant in variants { (self.variant(mistake.level, variant)) }
            @if left > 0 {
                p.aside { (count(left, "learner")) ": for other reasons" }
            }
        }
    }

    fn variant(&self, level: usize, variant: &Variant) -> Markup {
        let likely = &variant.likely;
        html! {
            blockquote dir="auto" {
                @if likely.is_empty() { "No reason is known." } @else { (likely) }
            }
            p.aside {
                (count(variant.learners.count, "learner")) ", for example "
                (self.examples(level, variant))
            }
        }
    }

    fn examples(&self, level: usize, variant: &Variant) -> Markup {
        html! {
            @for (place, &learner) in variant.examples.iter().enumerate() {
                @if place > 0 { ", " }
                a href=[self.of(learner, level)] {
                    bdi { (self.outcomes.learners[learner].name) }
                }
            }
        }
    }

    /// Where a learner's outcome of a level is.
    fn of(&self, learner: usize, level: usize) -> Option<String> {
        self.outcomes.learners[learner].outcomes[level].map(anchor)
    }

    /// A mistake in one line.
    fn other(&self, mistake: &Mistake) -> Markup {
        html! {
            span.many { (count(mistake.learners.count, "learner")) } " "
            (self.place(mistake)) " "
            @match &mistake.check {
                Some((_, claim)) => span.aside { (claim) },
                None => span.aside { "it doesn't compile" },
            }
            @if let Some(variant) = mistake.variants().first() {
                " (" (self.examples(mistake.level, variant)) ")"
            }
        }
    }

    fn troubles(&self) -> Markup {
        let troubles = self.tally.troubles();
        html! {
            @if !troubles.is_empty() {
                section aria-labelledby="troubles" {
                    h2 #troubles { "Not judged" }
                    p { "What these machines can't show, and where the checker is at "
                        "fault. It costs nobody points." }
                    ul.troubles { @for one in troubles { (self.trouble(one)) } }
                    @if self.tally.more_troubles > 0 {
                        p { "And " (self.tally.more_troubles) " more: see the cells." }
                    }
                }
            }
        }
    }

    fn trouble(&self, trouble: &Trouble) -> Markup {
        let kind = match trouble.broken {
            true => Kind::Broken,
            false => Kind::Cannot,
        };
        let (learner, level) = trouble.example;
        let Trouble { reason, cure, .. } = trouble;
        html! {
            li class=(kind.word()) {
                p {
                    span.word { (kind.word()) } " "
                    @for (place, level) in trouble.levels().into_iter().enumerate() {
                        @if place > 0 { ", " }
                        (self.level(level).info.level) " " (self.level(level).info.name)
                    }
                    " · " (count(trouble.learners.count, "learner"))
                    @if self.several_machines() {
                        @for machine in &trouble.machines {
                            " · " a href=(format!("#m{machine}")) {
                                "machine " (machine + 1)
                            }
                        }
                    }
                    " · " a href=[self.of(learner, level)] { "an example" }
                }
                dl.parts {
                    dt { "reason" } dd dir="auto" { (reason) }
                    @if !cure.is_empty() { dt { "cure" } dd dir="auto" { (cure) } }
                }
            }
        }
    }

    fn unsteady(&self) -> Markup {
        let all = self.outcomes.all.iter().enumerate();
        let unsteady: Vec<(usize, &Shared)> =
            all.filter(|(_, shared)| shared.unsteady).collect();
        html! {
            @if !unsteady.is_empty() {
                section aria-labelledby="unsteady" {
                    h2 #unsteady { "Unsteady verdicts" }
                    p { "Judged more than once, and " (UNSTEADY.meaning) "." }
                    ul {
                        @for (at, shared) in unsteady {
                            li {
                                a href=(anchor(at)) { (self.title(shared)) } ": "
                                (self.who(shared))
                            }
                        }
                    }
                }
            }
        }
    }

    /// `05 uts-ns, fail`
    fn title(&self, shared: &Shared) -> Markup {
        let info = &self.level(shared.level).info;
        html! { (info.level) " " (info.name) ", " (shared.kind.word()) }
    }

    /// All who have an outcome, each a way back to the table.
    fn who(&self, shared: &Shared) -> Markup {
        html! {
            @for (place, &learner) in shared.learners.iter().enumerate() {
                @if place > 0 { ", " }
                a href=(format!("#l{}", learner + 1)) {
                    bdi { (self.outcomes.learners[learner].name) }
                }
            }
        }
    }

    fn notes(&mut self) -> Result<()> {
        let learners = self.outcomes.learners.iter().enumerate();
        let noted: Vec<usize> = learners
            .filter(|(_, learner)| learner.notes.is_some())
            .map(|(at, _)| at)
            .collect();
        if noted.is_empty() {
            return Ok(());
        }
        self.raw("<section aria-labelledby=\"notes\">\n")?;
        self.say(html! {
            h2 #notes { "Notes" }
            p { "What was left out of a submission, and why." }
        })?;
        for at in noted {
            let learner = &self.outcomes.learners[at];
            let Some(notes) = &learner.notes else {
                continue;
            };
            let list = self.outcomes.spill.read(notes.list)?;
            self.say(html! {
                div.note id=(format!("n{}", at + 1)) {
                    h3 {
                        a href=(format!("#l{}", at + 1)) { bdi { (learner.name) } }
                    }
                    (PreEscaped(list))
                }
            })?;
        }
        self.raw("</section>\n")
    }

    fn machines(&self) -> Markup {
        let several = self.several_machines();
        html! {
            section aria-labelledby="machines" {
                h2 #machines { @if several { "Machines" } @else { "Machine" } }
                div.machines {
                    @for (at, machine) in self.head.machines.iter().enumerate() {
                        div id=(format!("m{at}")) {
                            @if several { h3 { "Machine " (at + 1) } }
                            (facts(machine))
                        }
                    }
                }
            }
        }
    }

    /// Every outcome there is, by levels. One is open at a time, on a screen; on paper
    /// all are.
    fn diagnoses(&mut self) -> Result<()> {
        self.raw("<section class=\"diagnoses\" id=\"diagnoses\">\n")?;
        self.raw("<h2>Diagnoses</h2>\n")?;
        let mut level = None;
        for at in 0..self.outcomes.all.len() {
            let outcome = self.outcome(at);
            if level != Some(outcome.level) {
                level = Some(outcome.level);
                let info = &self.level(outcome.level).info;
                self.say(html! { h3 { (info.level) " " (info.name) } })?;
            }
            let body = self.outcomes.spill.read(self.outcome(at).body)?;
            self.say(self.diagnosis(at, &body))?;
        }
        // The rest of the page, behind what is open: a click on it closes.
        self.raw("<a class=\"veil\" href=\"#-\" tabindex=\"-1\" ")?;
        self.raw("aria-hidden=\"true\"></a>\n</section>\n")
    }

    fn diagnosis(&self, at: usize, body: &str) -> Markup {
        let shared = self.outcome(at);
        let worth = self.level(shared.level).points;
        let number = at + 1;
        html! {
            article id=(format!("d{number}")) class=(shared.kind.word()) tabindex="-1" {
                (self.ways(at))
                p.kicker { "Diagnosis #d" (number) }
                h4 {
                    span.word { (shared.kind.word()) } " "
                    (self.level(shared.level).info.level) " "
                    (self.level(shared.level).info.name)
                }
                p.gist {
                    (shared.gist)
                    @match shared.points {
                        Some(points) => {
                            " · points: " (words::points(points)) " of " (words::points(worth))
                        }
                        None => " · counts neither for nor against",
                    }
                }
                p.who {
                    b { (count(shared.learners.len(), "learner")) ": " }
                    (self.who(shared))
                }
                (PreEscaped(body))
            }
        }
    }

    /// From a diagnosis to the page behind it, and to the same level's others.
    fn ways(&self, at: usize) -> Markup {
        let level = self.outcome(at).level;
        let fits = |at: &usize| {
            let shared = self.outcomes.all.get(*at);
            shared.is_some_and(|shared| shared.level == level)
        };
        let before = at.checked_sub(1).filter(fits);
        let after = Some(at + 1).filter(fits);
        html! {
            p.ways {
                // No such place: the page stays where it is, and nothing is open.
                a.close href="#-" { "Close" }
                @if let Some(before) = before {
                    " " a href=(anchor(before)) { "Previous" }
                }
                @if let Some(after) = after { " " a href=(anchor(after)) { "Next" } }
            }
        }
    }
}

/// What stands before the words, for the style sheet.
fn signs() -> String {
    let signs = Kind::ALL.map(Kind::sign).into_iter().chain([WAITS]);
    let rule =
        |Sign { sign, word, .. }| format!(".{word} {{ --sign: \"{sign}\"; }}\n");
    signs.map(rule).collect()
}

fn unsteady() -> Markup {
    html! { i { span aria-hidden="true" { (UNSTEADY.sign) } " " (UNSTEADY.word) } }
}

fn legend() -> Markup {
    html! {
        ul.legend aria-label="Legend" {
            @for kind in Kind::ALL {
                li class=(kind.word()) {
                    span.word { (kind.word()) } " " (kind.sign().meaning)
                }
            }
            li { (unsteady()) " " (UNSTEADY.meaning) }
            li.paper { "#d1: the diagnosis of this number" }
        }
    }
}

fn facts(machine: &Machine) -> Markup {
    let facts = [
        ("Kernel", &machine.kernel),
        ("Control groups", &machine.cgroup),
        ("Sandbox", &machine.sandbox),
        ("Checker", &machine.checker),
        ("Compiler", &machine.rustc),
    ];
    html! {
        dl {
            @for (name, fact) in facts {
                dt { (name) } dd { (text::line(fact)) }
            }
        }
    }
}

fn anchor(outcome: usize) -> String {
    format!("#d{}", outcome + 1)
}

/// How much of the points that count, in percent.
fn share(learner: &Learner) -> u32 {
    percent(learner.points, learner.of)
}

/// For the style sheet: how long a bar is.
fn part(part: usize, whole: usize) -> String {
    format!("--part:{}", percent(part as f64, whole as f64))
}

/// How many of a hundred; no part of nothing is 0.
fn percent(part: f64, whole: f64) -> u32 {
    if whole <= 0.0 {
        return 0;
    }
    (part / whole * 100.0).round().clamp(0.0, 100.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use report::Submission;

    fn page(class: &(Head, Vec<Submission>)) -> String {
        let mut page = Vec::new();
        write(class, &mut page).expect("the page can be written");
        String::from_utf8(page).expect("it is text")
    }

    /// One line for each element that has a line on the page; no style sheet.
    fn readable(page: &str) -> String {
        let mut page = page.replace(STYLE, "…");
        for tag in [
            "p",
            "li",
            "ul",
            "ol",
            "tr",
            "td",
            "th",
            "dt",
            "dl",
            "div",
            "section",
            "article",
            "h1",
            "h2",
            "h3",
            "h4",
            "style",
            "meta",
            "blockquote",
        ] {
            for end in [" ", ">"] {
                let tag = format!("<{tag}{end}");
                page = page.replace(&tag, &format!("\n{tag}"));
            }
        }
        let lines = page.lines().filter(|line| !line.trim().is_empty());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_page_of_a_class() {
        let (head, mut submissions) = sample::class();
        submissions.retain(|one| one.name != sample::hostile_name());
        insta::assert_snapshot!(readable(&page(&(head, submissions))));
    }

    #[test]
    fn examples_differ() {
        let (head, submissions) = sample::class();
        let alice = &submissions[1];
        let mut other = alice.clone();
        other.levels[1].points = Some(1.0);
        let class = [alice, alice, &other].map(Clone::clone).to_vec();
        let page = page(&(head, class));
        let example = ", for example <a href=\"#d2\"><bdi>alice</bdi></a>, \
            <a href=\"#d3\"><bdi>alice</bdi></a></p>";
        assert!(page.contains(example), "{page}");
    }

    #[test]
    fn a_name_is_not_longer_than_a_table_has_room() {
        let (head, mut submissions) = sample::class();
        submissions[0].name = "x".repeat(255);
        let shown = format!(">{}… (135 more characters)<", "x".repeat(120));
        let page = page(&(head, submissions));
        assert!(page.contains(&shown), "{page}");
    }

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert_eq!(percent(1.0, 0.0), 0);
        assert_eq!(percent(1.0, 3.0), 33);
    }

    #[test]
    fn nobody() {
        let (head, _) = sample::class();
        let page = page(&(head, Vec::new()));
        assert!(page.contains("0 learners, 3 levels"), "{page}");
        assert!(page.contains("Nobody."), "{page}");
    }
}
