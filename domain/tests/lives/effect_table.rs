//! The table of all effects, for the author of another machine: what performs each of them, and what its inputs are.

/// One effect.
pub(crate) struct EffectRow {
    /// The variant of `Effect`.
    pub(crate) effect: &'static str,
    /// What performs it.
    performed_by: &'static str,
    /// The variants of `Input` that follow it.
    pub(crate) inputs: &'static [&'static str],
    /// Whether it may be dropped when nothing may start any more: `yes`, `no`, or when.
    pub(crate) dropped: &'static str,
    /// What else an author has to know.
    note: &'static str,
}

/// The effects that no life here requests: only the machine of other kinds does.
pub(crate) const OF_OTHER_KINDS: &[&str] = &["CatchUp"];

/// All effects.
pub(crate) const EFFECTS: &[EffectRow] = &[
    EffectRow {
        effect: "LookUp",
        performed_by: "an index in memory",
        inputs: &["Others"],
        dropped: "no",
        note: "never waits; precedes each decision",
    },
    EffectRow {
        effect: "Resolve",
        performed_by: "the referenced objects in memory",
        inputs: &["Resolved"],
        dropped: "no",
        note: "never waits; precedes the first decision, and the first one after an edit or a reconcile request",
    },
    EffectRow {
        effect: "Declare",
        performed_by: "an index in memory",
        inputs: &["Performed"],
        dropped: "no",
        note: "never waits; other objects may have to be published again",
    },
    EffectRow {
        effect: "Acquire",
        performed_by: "the permits of the project, or of the API server",
        inputs: &["Performed"],
        dropped: "yes, but not before a record of what was created, nor before the event about a write",
        note: "`permits()` says after each input which permits are still needed; the others are returned",
    },
    EffectRow {
        effect: "GetCredentials",
        performed_by: "the credential store",
        inputs: &["Credentials"],
        dropped: "yes; before a POST it ends, and the POST follows only while the process leads",
        note: "may read a Secret, with a permit of its own",
    },
    EffectRow {
        effect: "Begin",
        performed_by: "the rate limits, and the system's random numbers",
        inputs: &["Begun", "Withheld"],
        dropped: "yes",
        note: "never waits; precedes a claim, and the read before a PATCH or DELETE",
    },
    EffectRow {
        effect: "List",
        performed_by: "the single flight of the instance",
        inputs: &["Listed"],
        dropped: "yes",
        note: "the machine holds no permit and no plan: all objects may wait for it at once",
    },
    EffectRow {
        effect: "Read",
        performed_by: "the API server, with the permit",
        inputs: &["Read"],
        dropped: "yes",
        note: "reads past all caches: at the start if the cache is stale, after a conflict, before a PATCH or DELETE, and before a record without a claim",
    },
    EffectRow {
        effect: "Write",
        performed_by: "the API server, with the permit",
        inputs: &["Written"],
        dropped: "yes, but not a claim or a record",
        note: "guarded by what was read; the reason for a failure decides whether it may have been applied",
    },
    EffectRow {
        effect: "Call",
        performed_by: "Atlas, with the permit",
        inputs: &["Called"],
        dropped: "yes, but not a POST",
        note: "a POST is checked once more when its body is sent: deadline, leadership, deletion",
    },
    EffectRow {
        effect: "CatchUp",
        performed_by: "the watches, and lists where one watch does not show all",
        inputs: &["CaughtUp"],
        dropped: "yes",
        note: "of dedicated clusters only: precedes the request of a claim, which rests on what other objects are as of the claim",
    },
    EffectRow {
        effect: "Publish",
        performed_by: "the API server, with the permit",
        inputs: &["Performed"],
        dropped: "yes, but not the event about a write",
        note: "an event that cannot be published is lost",
    },
    EffectRow {
        effect: "Output",
        performed_by: "the API server, with a permit of its own",
        inputs: &["Output"],
        dropped: "yes",
        note: "guarded by the version of the ConfigMap that was read",
    },
    EffectRow {
        effect: "FindAddress",
        performed_by: "the single flight of the instance",
        inputs: &["Address"],
        dropped: "yes",
        note: "the machine holds no permit",
    },
    EffectRow {
        effect: "Done",
        performed_by: "the controller",
        inputs: &[],
        dropped: "no",
        note: "the object is requeued after the delay; without one, only an event triggers the next reconcile",
    },
];

/// Returns the row of the effect of this name.
pub(crate) fn of(effect: &str) -> Option<&'static EffectRow> {
    EFFECTS.iter().find(|row| row.effect == effect)
}

/// Returns the table as it stands in the page.
pub(crate) fn shown() -> String {
    let head = "| effect | what performs it | input | may be dropped when the process stops | note |\n|---|---|---|---|---|\n";
    EFFECTS.iter().fold(
        head.to_owned(),
        |table, EffectRow { effect, performed_by, inputs, dropped, note }| {
            let names: Vec<_> = inputs.iter().map(|input| format!("`{input}`")).collect();
            let input = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("{table}| `{effect}` | {performed_by} | {input} | {dropped} | {note} |\n")
        },
    )
}
