//! A person wants again what was refused because an outsider had written it: it is refused again.

use tests::workbench::stdout;

use super::{Idp, LIVE};

#[test]
fn what_an_outsider_wrote_is_not_endorsed_by_wanting_it_again() {
    let idp = Idp::new(LIVE);
    let playbook = idp.site.dir().join("playbooks/scenario.yaml");
    let text = std::fs::read_to_string(&playbook).unwrap();
    let theirs = "    target: user\n    tool: idp.lock_user\n    args: { user: $user_agent }\n";
    std::fs::write(&playbook, text.replace("    target: user\n", theirs)).unwrap();
    idp.ok(&["check", "--accept"]);
    idp.once();
    for _ in 0..2 {
        let effect = &idp.effects()[0];
        assert_eq!(effect["decision"], "denied", "{effect}");
        let why = effect["reason"].as_str().unwrap();
        assert!(why.starts_with("rule 8"), "{effect}");
        let id = effect["id"].to_string();
        let wanted = idp.run(&["effects", "retry", &id, "--by", "bo"]);
        assert!(wanted.status.success(), "{}", stdout(&wanted));
        idp.once();
    }
    assert_eq!((idp.approvals().len(), idp.locks()), (0, 0));
}
