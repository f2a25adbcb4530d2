//! The contract of the store, as functions over any `Store`, and what is particular to SQLite; no daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acts;
mod approvals;
mod asked;
mod assurance;
mod audit;
mod baselines;
mod crash;
mod effects;
mod feedback;
mod held;
mod intake;
mod make;
mod metrics;
mod people;
mod queue;
mod record;
mod rounds;
mod split;
mod sqlite;
mod watch;

/// Runs each contract function over a store in a file and over one in memory.
macro_rules! contract {
    ($($topic:ident::$name:ident),+ $(,)?) => {
        mod file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                let store = crate::make::file_store(&dir).await;
                crate::$topic::$name(&store).await;
                store.verify_audit().await.unwrap();
                store.close().await;
            })+
        }
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let store = state::store::Store::open("sqlite::memory:").await.unwrap();
                crate::$topic::$name(&store).await;
                store.close().await;
            })+
        }
    };
}

contract!(
    intake::a_delivery_is_stored_whole_or_not_at_all,
    intake::one_alert_however_often_and_in_whatever_order_it_comes,
    intake::an_abandoned_delivery_leaves_all_or_nothing,
    intake::a_replayed_dead_letter_is_kept_once,
    intake::an_alert_has_one_case_and_candidates_share_what_alerts_name,
    intake::an_entity_spreads_over_actors_and_machines,
    split::a_split_moves_alerts_and_keeps_them_apart,
    split::what_can_not_be_split_stays_as_it_was,
    intake::joining_works_the_case_again_only_when_it_had_ended,
    queue::concurrent_claimers_never_share_a_case,
    queue::a_stale_claim_can_do_nothing,
    queue::only_ended_leases_are_taken_back,
    record::illegal_moves_and_misfits_store_nothing,
    record::an_alert_that_joined_sends_the_case_back,
    record::a_case_nobody_could_work_goes_to_a_person,
    record::verdicts_supersede_and_stay,
    record::effects_are_kept_once_and_never_forgotten,
    record::the_hourly_cap_of_closes_is_held_where_they_are_stored,
    record::nothing_unsure_is_closed_without_a_person,
    record::people_move_cases_too,
    approvals::an_answer_counts_once,
    approvals::silence_means_no_and_a_person,
    approvals::a_close_needs_its_own_yes,
    approvals::a_close_is_of_what_was_asked,
    approvals::two_questions_one_case,
    people::two_people_must_say_yes_and_each_counts_once,
    people::one_no_ends_it,
    people::a_takeover_ends_what_was_asked,
    people::a_post_is_due_until_people_see_what_it_says,
    people::a_batch_is_the_last_of_its_question,
    people::what_has_changed_is_found_from_a_mark_on,
    people::a_batch_is_one_however_many_gather_it,
    asked::an_effect_hangs_on_one_question,
    asked::an_effect_under_way_is_not_asked_again,
    asked::an_effect_proposed_anew_forgets_its_approval,
    asked::a_person_decides_on_what_they_saw,
    effects::an_approved_effect_is_begun_once,
    effects::a_response_counts_from_when_it_was_sent,
    effects::an_approval_counts_for_its_own_action_and_in_time,
    effects::destructive_actions_have_an_hourly_cap,
    acts::a_case_is_told_until_it_is_told_as_it_stands,
    acts::what_could_not_be_said_is_planned_again,
    acts::looks_are_spaced_and_what_was_seen_stays_so,
    acts::a_servers_question_is_answered_while_its_approval_is_open,
    acts::what_was_sent_is_never_wanted_again,
    held::a_held_effect_comes_back_in_its_time_and_is_held_no_more_when_sent,
    held::what_a_server_asked_is_kept_until_a_person_is_asked,
    rounds::alerts_and_cases_come_back,
    rounds::calls_and_bodies_come_back,
    rounds::evidence_comes_back_numbered,
    rounds::steps_and_assessments_come_back,
    rounds::lists_are_narrowed,
    rounds::lines_and_counts_say_what_is_there,
    record::people_move_cases_only_where_they_may,
    audit::entries_chain_and_are_found_by_case,
    watch::the_last_turn_of_a_switch_stands,
    watch::nothing_is_closed_while_closing_is_off,
    watch::a_canary_is_judged_once,
    assurance::a_failed_assurance_switches_closing_off,
    watch::canaries_are_counted_and_listed_nowhere,
    watch::a_canary_goes_first_and_is_joined_by_nothing,
    watch::patterns_count_what_the_daemon_judged,
    watch::a_finding_is_open_once_and_accepted_once,
    feedback::the_last_word_on_an_alert_counts,
    baselines::an_attempt_that_failed_leaves_the_last_whole_answer,
    baselines::open_and_malicious_cases_are_suspect,
    metrics::a_period_is_counted,
    metrics::exports_are_on_record,
);
