//! Draws the drafts: who exists, in which system, and how each system has it.

use super::{
    Company, Founder, Lists, Mail, Options, Person, Registry, as_typed,
    companies::with_legal_form,
    drafts::{
        AccountDraft, ContactDraft, CrmLeadDraft, Draft, LOST_REASONS, LeadDraft, OpportunityDraft,
        RECYCLE_REASONS, REJECT_REASONS, STAGES,
    },
    people::{retyped, rewritten},
    website,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

struct Drawing<'a> {
    lists: &'a Lists,
    rng: &'a mut StdRng,
    founder: Founder,
    registry: Registry,
    companies: Vec<Company>,
}

impl Draft {
    pub(super) fn draw(options: &Options) -> Draft {
        let lists = Lists::read();
        let mut rng = StdRng::seed_from_u64(options.seed);
        let mut drawing = Drawing {
            lists: &lists,
            rng: &mut rng,
            founder: Founder::default(),
            registry: Registry::default(),
            companies: Vec::new(),
        };
        let accounts = drawing.accounts(options.accounts);
        let mut draft = Draft {
            reps: lists.words("reps").to_vec(),
            accounts,
            contacts: Vec::new(),
            crm_leads: Vec::new(),
            opportunities: Vec::new(),
            leads: Vec::new(),
        };
        drawing.leads(&mut draft, options.leads);
        drawing.other_contacts(&mut draft);
        drawing.opportunities(&mut draft);
        draft
    }
}

impl Drawing<'_> {
    fn accounts(&mut self, wanted: usize) -> Vec<AccountDraft> {
        let mut accounts: Vec<AccountDraft> = Vec::with_capacity(wanted);
        while accounts.len() < wanted {
            let company = self.founder.found(self.lists, self.rng);
            let place = self.companies.len();
            self.companies.push(company);
            let first = self.account(place);
            let room = wanted - accounts.len();
            match self.rng.random_range(0..100) {
                0..5 if room >= 2 => self.push_duplicates(first, &mut accounts),
                5..11 if room >= 3 => self.push_family(first, &mut accounts),
                _ => accounts.push(first),
            }
        }
        oldest_first(accounts)
    }

    fn account(&mut self, place: usize) -> AccountDraft {
        let company = &self.companies[place];
        let here = &self.lists.places[company.place];
        let (city, state) = here.cities.choose(self.rng).copied().unwrap_or_default();
        let website = if self.rng.random_bool(0.08) {
            String::new()
        } else {
            website(&company.domain, self.rng)
        };
        let kinds = [
            "Customer - Direct",
            "Customer - Direct",
            "Prospect",
            "Prospect",
            "Prospect",
            "Technology Partner",
            "",
        ];
        AccountDraft {
            company: place,
            name: company.name.clone(),
            website,
            country: here.country,
            city,
            state,
            industry: company.industry,
            kind: kinds.choose(self.rng).copied().unwrap_or_default(),
            owner: self.rng.random_range(0..self.lists.words("reps").len()),
            parent: None,
            contacts: [0, 0, 1, 1, 2, 3, 5]
                .choose(self.rng)
                .copied()
                .unwrap_or_default(),
            age: self.rng.random_range(0.0..1.0),
        }
    }

    /// The same company entered twice: the older account is the one in use.
    fn push_duplicates(&mut self, mut first: AccountDraft, accounts: &mut Vec<AccountDraft>) {
        let company = &self.companies[first.company];
        let mut second = AccountDraft {
            name: if self.rng.random_bool(0.5) {
                company.brand.clone()
            } else {
                first.name.clone()
            },
            website: website(&company.domain, self.rng),
            kind: "Prospect",
            owner: self.rng.random_range(0..self.lists.words("reps").len()),
            contacts: 0,
            age: 0.0,
            ..first
        };
        first.website = website(&company.domain, self.rng);
        first.age *= 0.4;
        first.contacts += 4;
        second.age = self.rng.random_range(0.6..1.0);
        accounts.extend([first, second]);
    }

    /// A parent and its subsidiaries abroad, all under one domain.
    fn push_family(&mut self, mut parent: AccountDraft, accounts: &mut Vec<AccountDraft>) {
        let company = self.companies[parent.company].clone();
        parent.website = website(&company.domain, self.rng);
        let at = accounts.len();
        let subsidiaries = self.rng.random_range(1..3);
        let mut countries = vec![parent.country];
        let mut children = Vec::new();
        for _ in 0..subsidiaries {
            let mut there = &self.lists.places[self.lists.place(self.rng)];
            while countries.contains(&there.country) {
                there = self.lists.places.choose(self.rng).unwrap_or(there);
            }
            countries.push(there.country);
            let (city, state) = there.cities.choose(self.rng).copied().unwrap_or_default();
            let name = if self.rng.random_bool(0.5) {
                format!("{} {}", company.brand, there.country)
            } else {
                with_legal_form(&company.brand, there, self.rng)
            };
            children.push(AccountDraft {
                name,
                website: website(&company.domain, self.rng),
                country: there.country,
                city,
                state,
                parent: Some(at),
                contacts: self.rng.random_range(0..3),
                age: self.rng.random_range(0.0..1.0),
                ..self.account(parent.company)
            });
        }
        accounts.push(parent);
        accounts.extend(children);
    }

    fn leads(&mut self, draft: &mut Draft, wanted: usize) {
        while draft.leads.len() < wanted {
            let known = !draft.accounts.is_empty();
            match self.rng.random_range(0..1_000) {
                0..200 if known => {
                    let account = self.rng.random_range(0..draft.accounts.len());
                    let person = self.person_at(draft.accounts[account].company);
                    let other = self.as_the_crm_has_it(&person);
                    let contact = self.contact(other, account, draft.accounts[account].owner);
                    draft.contacts.push(contact);
                    let company = self.companies[draft.accounts[account].company].clone();
                    draft.leads.push(self.lead(person, Some(&company)));
                }
                200..260 if known => {
                    let account = self.rng.random_range(0..draft.accounts.len());
                    let company = self.companies[draft.accounts[account].company].clone();
                    let person = self.person_at(draft.accounts[account].company);
                    let typed = as_typed(&company, self.rng);
                    draft.crm_leads.push(self.crm_lead(&person, typed));
                    draft.leads.push(self.lead(person, Some(&company)));
                }
                260..700 if known => {
                    let account = self.rng.random_range(0..draft.accounts.len());
                    let company = self.companies[draft.accounts[account].company].clone();
                    let person = self.person_at(draft.accounts[account].company);
                    draft.leads.push(self.lead(person, Some(&company)));
                }
                // Once in a while a whole table of colleagues from a company that the CRM has never heard of.
                700..725 => {
                    let company = self.founder.found(self.lists, self.rng);
                    let colleagues = self.rng.random_range(2..6).min(wanted - draft.leads.len());
                    for _ in 0..colleagues {
                        let person = self.registry.person(
                            self.lists,
                            company.place,
                            Mail::Business(&company),
                            self.rng,
                        );
                        draft.leads.push(self.lead(person, Some(&company)));
                    }
                }
                725..925 => {
                    let place = self.lists.place(self.rng);
                    let person = self
                        .registry
                        .person(self.lists, place, Mail::Free, self.rng);
                    if self.rng.random_bool(0.2) {
                        draft
                            .crm_leads
                            .push(self.crm_lead(&person, "[not provided]".to_owned()));
                    }
                    draft.leads.push(self.lead(person, None));
                }
                925..945 => self.push_unreachable(draft, Mail::Malformed),
                945..965 => self.push_unreachable(draft, Mail::None),
                _ => {}
            }
        }
    }

    fn push_unreachable(&mut self, draft: &mut Draft, mail: Mail<'_>) {
        let place = self.lists.place(self.rng);
        let person = self.registry.person(self.lists, place, mail, self.rng);
        let lead = self.lead(person, None);
        draft.leads.push(lead);
    }

    fn person_at(&mut self, company: usize) -> Person {
        let company = &self.companies[company];
        self.registry
            .person(self.lists, company.place, Mail::Business(company), self.rng)
    }

    fn lead(&mut self, mut person: Person, company: Option<&Company>) -> LeadDraft {
        let rng = &mut *self.rng;
        let typed = match company {
            Some(company) if rng.random_bool(0.93) => as_typed(company, rng),
            None if rng.random_bool(0.3) => self.lists.word("umlauts", rng).to_owned(),
            _ => String::new(),
        };
        let site = match company {
            Some(company) if rng.random_bool(0.2) => website(&company.domain, rng),
            _ => String::new(),
        };
        if rng.random_bool(0.03) {
            person.last_name.clear();
        }
        if rng.random_bool(0.25) {
            person.title.clear();
        }
        if rng.random_bool(0.3) {
            person.phone.clear();
        }
        if rng.random_bool(0.4) {
            person.city.clear();
            person.state.clear();
        }
        person.email = person.email.map(|email| {
            if rng.random_bool(0.05) {
                retyped(&email, rng)
            } else {
                email
            }
        });
        let lifecycle = match rng.random_range(0..100) {
            0..20 => "subscriber",
            20..45 => "lead",
            45..83 => "marketingqualifiedlead",
            83..91 => "salesqualifiedlead",
            91..96 => "opportunity",
            _ => "customer",
        };
        let score = if super::is_qualified_stage(lifecycle) {
            rng.random_range(50..100)
        } else {
            rng.random_range(0..60)
        };
        let industry = company
            .filter(|_| rng.random_bool(0.4))
            .map_or("", |company| company.industry);
        LeadDraft {
            person,
            company: typed,
            website: site,
            industry,
            lifecycle,
            score: score.to_string(),
            source: self.lists.word("sources", rng),
            opt_out: rng.random_bool(0.05),
        }
    }

    /// The same person as somebody in sales entered them some time ago: other letters, gaps, now and then another value.
    fn as_the_crm_has_it(&mut self, person: &Person) -> Person {
        let rng = &mut *self.rng;
        let mut other = person.clone();
        other.email = person.email.as_deref().map(|email| retyped(email, rng));
        other.phone = match rng.random_range(0..10) {
            0..7 => rewritten(&person.phone, rng),
            7..9 => String::new(),
            _ => format!("+1 555 01{}", rng.random_range(10..99)),
        };
        other.title = match rng.random_range(0..10) {
            0..7 => person.title.clone(),
            7..9 => String::new(),
            _ => self.lists.word("titles", rng).to_owned(),
        };
        if rng.random_bool(0.5) {
            other.city.clear();
            other.state.clear();
        }
        other
    }

    fn contact(&mut self, person: Person, account: usize, account_owner: usize) -> ContactDraft {
        let rng = &mut *self.rng;
        let status = match rng.random_range(0..100) {
            0..8 => ("Accepted", ""),
            8..16 => ("Working", ""),
            16..20 => (
                "Rejected",
                REJECT_REASONS.choose(rng).copied().unwrap_or_default(),
            ),
            20..23 => (
                "Recycled",
                RECYCLE_REASONS.choose(rng).copied().unwrap_or_default(),
            ),
            23..26 => ("Qualified", ""),
            _ => ("", ""),
        };
        let owner = if rng.random_bool(0.9) {
            account_owner
        } else {
            rng.random_range(0..self.lists.words("reps").len())
        };
        ContactDraft {
            person,
            account,
            owner,
            status,
            opt_out: rng.random_bool(0.03),
        }
    }

    fn crm_lead(&mut self, person: &Person, company: String) -> CrmLeadDraft {
        let person = self.as_the_crm_has_it(person);
        let rng = &mut *self.rng;
        let status = match rng.random_range(0..10) {
            0..7 => "Open - Not Contacted",
            7..9 => "Working - Contacted",
            _ => "Closed - Not Converted",
        };
        let owner = rng.random_range(0..self.lists.words("reps").len());
        CrmLeadDraft {
            person,
            company,
            source: self.lists.word("sources", rng),
            status,
            owner,
        }
    }

    fn other_contacts(&mut self, draft: &mut Draft) {
        for account in 0..draft.accounts.len() {
            for _ in 0..draft.accounts[account].contacts {
                let person = self.person_at(draft.accounts[account].company);
                let contact = self.contact(person, account, draft.accounts[account].owner);
                draft.contacts.push(contact);
            }
        }
    }

    fn opportunities(&mut self, draft: &mut Draft) {
        let mut people: Vec<Vec<usize>> = vec![Vec::new(); draft.accounts.len()];
        for (place, contact) in draft.contacts.iter().enumerate() {
            people[contact.account].push(place);
        }
        for (account, people) in people.iter().enumerate() {
            if !self.rng.random_bool(0.12) {
                continue;
            }
            let stage = STAGES.choose(self.rng).unwrap_or(&STAGES[0]);
            let lost = stage.outcome == Some(false);
            let mut contacts = Vec::new();
            if self.rng.random_bool(0.8) {
                contacts.extend(people.choose(self.rng));
            }
            let brand = &self.companies[draft.accounts[account].company].brand;
            draft.opportunities.push(OpportunityDraft {
                name: format!("{brand} - {}", self.lists.word("products", self.rng)),
                account,
                contacts,
                stage,
                amount: format!("{}", self.rng.random_range(8..400) * 500),
                lost_reason: if lost {
                    LOST_REASONS.choose(self.rng).copied().unwrap_or_default()
                } else {
                    ""
                },
                owner: draft.accounts[account].owner,
            });
        }
    }
}

/// Orders accounts by age and keeps their parents right.
fn oldest_first(accounts: Vec<AccountDraft>) -> Vec<AccountDraft> {
    let mut numbered: Vec<(usize, AccountDraft)> = accounts.into_iter().enumerate().collect();
    numbered.sort_by(|(_, one), (_, other)| one.age.total_cmp(&other.age));
    let mut moved = vec![0; numbered.len()];
    for (new, (old, _)) in numbered.iter().enumerate() {
        moved[*old] = new;
    }
    numbered
        .into_iter()
        .map(|(_, account)| AccountDraft {
            parent: account.parent.map(|parent| moved[parent]),
            ..account
        })
        .collect()
}
