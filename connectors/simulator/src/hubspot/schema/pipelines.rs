use super::Object;

/// A stage of a pipeline.
#[derive(Clone, Debug)]
pub(in crate::hubspot) struct Stage {
    pub(in crate::hubspot) id: String,
    pub(in crate::hubspot) label: String,
    pub(in crate::hubspot) closed: bool,
    /// As HubSpot writes it: `1.0` is won, `0.0` lost.
    pub(in crate::hubspot) probability: String,
}

/// A pipeline of deals or leads.
#[derive(Clone, Debug)]
pub(in crate::hubspot) struct Pipeline {
    pub(in crate::hubspot) id: String,
    pub(in crate::hubspot) label: String,
    pub(in crate::hubspot) stages: Vec<Stage>,
}

/// The pipelines of a fresh portal.
pub(in crate::hubspot) fn pipelines(object: Object) -> Vec<Pipeline> {
    let stage = |(id, label, probability): (&str, &str, &str)| Stage {
        id: id.to_owned(),
        label: label.to_owned(),
        closed: probability == "1.0" || probability == "0.0",
        probability: probability.to_owned(),
    };
    let (id, label, stages): (_, _, &[(&str, &str, &str)]) = match object {
        Object::Deal => (
            "default",
            "Sales Pipeline",
            &[
                ("appointmentscheduled", "Appointment Scheduled", "0.2"),
                ("qualifiedtobuy", "Qualified To Buy", "0.4"),
                ("presentationscheduled", "Presentation Scheduled", "0.6"),
                ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
                ("contractsent", "Contract Sent", "0.9"),
                ("closedwon", "Closed Won", "1.0"),
                ("closedlost", "Closed Lost", "0.0"),
            ],
        ),
        Object::Lead => (
            "lead-pipeline-id",
            "Lead pipeline",
            &[
                ("new-stage-id", "New", "0.1"),
                ("attempting-stage-id", "Attempting", "0.2"),
                ("connected-stage-id", "Connected", "0.5"),
                ("qualified-stage-id", "Qualified", "1.0"),
                ("unqualified-stage-id", "Disqualified", "0.0"),
            ],
        ),
        _ => return Vec::new(),
    };
    vec![Pipeline {
        id: id.to_owned(),
        label: label.to_owned(),
        stages: stages.iter().copied().map(stage).collect(),
    }]
}
