//! leadloop on exports of one's own: two folders in, files for the vendors' importers out, and nothing twice.

use leadloop::{
    agreement,
    config::{Config, Surroundings},
    daemon,
};
use std::{collections::BTreeMap, fs, path::PathBuf};

const HUBSPOT: &str = "\
Record ID,First Name,Last Name,Email,Job Title,Company Name,Country/Region,Lifecycle Stage,Last Modified Date,Unsubscribed from all email
101,Ada,Lovelace,ada@acme.com,CTO,Acme,United Kingdom,Marketing Qualified Lead,2026-01-02 13:45,false
102,Bob,Babbage,bob@acme.com,,Acme,,Subscriber,2026-01-02 13:46,false
103,Eve,Byron,eve@newcomer.io,Founder,Newcomer,Ireland,Marketing Qualified Lead,2026-01-02 13:47,false
104,Ian,Byron,ian@newcomer.io,,Newcomer,Ireland,Marketing Qualified Lead,2026-01-02 13:48,false
105,Gus,Free,gus@gmail.com,,,,Marketing Qualified Lead,2026-01-02 13:49,true
106,Lea,Known,lea@zenith.de,CFO,Zenith,Germany,Marketing Qualified Lead,2026-01-02 13:50,false
107,Kim,Contact,kim@acme.com,COO,Acme,,Marketing Qualified Lead,2026-01-02 13:51,false
";

const ACCOUNT: &str = "\
Id,Name,Website,Industry,Type,BillingCountry,ParentId,OwnerId,SystemModstamp,Leadloop_Key__c
0015g00000BBBBCAA5,Acme,https://www.acme.com,,Customer,United Kingdom,,0055g000001XyZaAAK,2026-01-01T09:00:00.000Z,
0015g00000BBBBDAA5,Zenith GmbH,zenith.de,,Prospect,Germany,,0055g000001XyZaAAK,2026-01-01T09:00:00.000Z,
";

const CONTACT: &str = "\
Id,AccountId,FirstName,LastName,Email,Title,HasOptedOutOfEmail,OwnerId,SystemModstamp,Leadloop_Key__c
0035g00000CCCCDAA5,0015g00000BBBBCAA5,Kim,Contact,KIM@acme.com,,true,0055g000001XyZaAAK,2026-01-01T10:00:00.000Z,
";

const LEAD: &str = "\
Id,FirstName,LastName,Email,Company,Status,IsConverted,ConvertedContactId,ConvertedAccountId,HasOptedOutOfEmail,OwnerId,SystemModstamp,Leadloop_Key__c
00Q5g00000AAAAAEA5,Lea,Known,lea@zenith.de,Zenith,Open - Not Contacted,false,,,false,0055g000001XyZaAAK,2026-01-02T13:45:00.000+0000,
00Q5g00000AAAABEA5,Don,Done,don@acme.com,Acme,Closed - Converted,true,0035g00000CCCCDAA5,0015g00000BBBBCAA5,false,0055g000001XyZaAAK,2026-01-02T13:45:00.000+0000,
";

const OTHERS: [(&str, &str); 3] = [
    (
        "User.csv",
        "Id,Username,Name,Email,IsActive\n0055g000001XyZaAAK,sam@sales.com,Sam Sales,sam@sales.com,true\n",
    ),
    (
        "Opportunity.csv",
        "Id,Name,AccountId,StageName,Amount,CloseDate,IsClosed,IsWon,OwnerId,SystemModstamp\n0065g00000DDDDEAA5,Deal,0015g00000BBBBCAA5,Closed Won,2500.0,2026-01-15,true,true,0055g000001XyZaAAK,2026-01-01T11:00:00.000Z\n",
    ),
    (
        "OpportunityContactRole.csv",
        "Id,OpportunityId,ContactId,Role,IsPrimary\n00K5g00000EEEEFEA5,0065g00000DDDDEAA5,0035g00000CCCCDAA5,Decision Maker,true\n",
    ),
];

/// A folder with exports of both sides, a configuration and an agreement, as somebody would make it to try leadloop.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        fs::create_dir_all(desk.path("marketing")).unwrap();
        fs::create_dir_all(desk.path("crm")).unwrap();
        let configuration = "state = \"state\"\n\n[connections.marketing]\nconnector = \"files\"\nfolder = \"MARKETING\"\n\n[connections.crm]\nconnector = \"files\"\nfolder = \"CRM\"\n\n[loops.trial]\nmarketing = \"marketing\"\ncrm = \"crm\"\nagreement = \"agreement.toml\"\n";
        let configuration = configuration
            .replace("MARKETING", &desk.path("marketing").to_string_lossy())
            .replace("CRM", &desk.path("crm").to_string_lossy());
        let exports = [
            ("marketing/contacts.csv", HUBSPOT),
            ("crm/Account.csv", ACCOUNT),
            ("crm/Contact.csv", CONTACT),
            ("crm/Lead.csv", LEAD),
        ];
        for (name, text) in exports {
            fs::write(desk.path(name), text).unwrap();
        }
        for (name, text) in OTHERS {
            fs::write(desk.path("crm").join(name), text).unwrap();
        }
        fs::write(desk.path("leadloop.toml"), configuration).unwrap();
        fs::write(desk.path("agreement.toml"), agreement::TEMPLATE).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What `leadloop run --once` does.
    async fn run_once(&self) {
        let surroundings = Surroundings {
            env: BTreeMap::new(),
        };
        let config = Config::load(&self.path("leadloop.toml"), &surroundings).unwrap();
        daemon::once(&config, &surroundings).await.unwrap();
    }

    /// Import files of a side by name, with their rows by heading.
    fn imports(&self, side: &str) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
        let entries = fs::read_dir(self.path(side).join("import"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let csv =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
        csv.map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                csv::Reader::from_path(&path)
                    .unwrap()
                    .deserialize()
                    .map(Result::unwrap)
                    .collect(),
            )
        })
        .collect()
    }

    /// All import files of both sides, line by line.
    fn lines(&self) -> Vec<String> {
        let folders = ["marketing/import", "crm/import"].map(|name| self.path(name));
        let paths = folders
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path());
        let mut lines = Vec::new();
        for path in
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        {
            let name = path
                .strip_prefix(self.0.path())
                .unwrap()
                .display()
                .to_string();
            lines.extend(
                fs::read_to_string(&path)
                    .unwrap()
                    .lines()
                    .map(|line| format!("{name}: {line}")),
            );
        }
        lines.sort();
        lines
    }
}

/// The values of one column.
fn column(rows: &[BTreeMap<String, String>], heading: &str) -> Vec<String> {
    rows.iter()
        .map(|row| {
            row.get(heading)
                .cloned()
                .unwrap_or_else(|| panic!("no {heading} in {row:?}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_become_files_to_import_and_a_second_run_writes_nothing() {
    let desk = Desk::new();
    desk.run_once().await;

    let crm = desk.imports("crm");
    let mut created = column(&crm["contacts-create.csv"], "Email");
    created.sort();
    assert_eq!(
        created,
        ["ada@acme.com", "eve@newcomer.io", "ian@newcomer.io"]
    );
    assert_eq!(
        column(&crm["accounts-create.csv"], "Website"),
        ["newcomer.io"],
        "one account for two people"
    );
    assert_eq!(column(&crm["leads-create.csv"], "Email"), ["gus@gmail.com"]);
    assert_eq!(
        column(&crm["leads-create.csv"], "HasOptedOutOfEmail"),
        ["true"]
    );

    let marketing = desk.imports("marketing");
    let told = &marketing["leads-update.csv"];
    let kim = told.iter().find(|row| row["Record ID"] == "107").unwrap();
    assert_eq!(kim["Unsubscribed from all email"], "true", "{kim:?}");
    assert!(kim.values().any(|value| value == "won"), "{kim:?}");
    assert!(
        !told.iter().any(|row| row["Record ID"] == "102"),
        "whoever is not handed over is left alone"
    );

    let before = desk.lines();
    desk.run_once().await;
    assert_eq!(desk.lines(), before, "a second run writes nothing");

    fs::remove_dir_all(desk.path("state")).unwrap();
    desk.run_once().await;
    let crm_only = |lines: Vec<String>| {
        lines
            .into_iter()
            .filter(|line| line.starts_with("crm/"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        crm_only(desk.lines()),
        crm_only(before),
        "nor does a run that remembers nothing give the CRM anything twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_is_recognised_in_the_next_export() {
    let desk = Desk::new();
    desk.run_once().await;
    let contact = desk.imports("crm")["contacts-create.csv"]
        .iter()
        .find(|row| row["Email"] == "ada@acme.com")
        .unwrap()
        .clone();
    let key = &contact["Leadloop_Key__c"];
    let row = format!(
        "0035g00000CCCCEAA5,0015g00000BBBBCAA5,Ada,Lovelace,ada@acme.com,CTO,false,0055g000001XyZaAAK,2026-02-01T10:00:00.000Z,{key}\n"
    );
    fs::write(desk.path("crm/Contact.csv"), format!("{CONTACT}{row}")).unwrap();
    desk.run_once().await;
    let told = desk.imports("marketing");
    let ada = told["leads-update.csv"]
        .iter()
        .find(|row| row["Record ID"] == "101")
        .unwrap()
        .clone();
    assert!(
        ada.values().any(|value| value == "0035g00000CCCCEAA5"),
        "marketing learns the id that the CRM gave: {ada:?}"
    );
    let again = desk.lines();
    desk.run_once().await;
    assert_eq!(desk.lines(), again);
}
