//! The store's conformance suite, run against each store, what is special to SQLite (its file, its clock, its death) and
//! to PostgreSQL (its server, and who else uses it).
//!
//! A new store is a line like [`mod sqlite`]'s. A new rule of the port is a function in `store/cases.rs`, or in the file of its part
//! of the port, and its name below.

#[path = "store/cases.rs"]
mod cases;
#[path = "store/copy.rs"]
mod copy;
#[path = "store/copy_measured.rs"]
mod copy_measured;
#[path = "store/credentials.rs"]
mod credentials;
#[path = "store/deletions.rs"]
mod deletions;
#[path = "store/domains.rs"]
mod domains;
#[path = "store/file.rs"]
mod file;
#[path = "store/fixtures.rs"]
mod fixtures;
#[path = "store/grants.rs"]
mod grants;
#[path = "store/migrations.rs"]
mod migrations;
#[path = "store/organizations.rs"]
mod organizations;
#[path = "store/outbox.rs"]
mod outbox;
#[path = "support/pooler.rs"]
mod pooler;
#[path = "store/postgres.rs"]
mod postgres;
#[path = "store/providers.rs"]
mod providers;
#[path = "store/relinks.rs"]
mod relinks;
#[path = "store/scim.rs"]
mod scim;
#[path = "support/postgres.rs"]
mod server;
#[path = "store/ten_million.rs"]
mod ten_million;
#[path = "store/throughput.rs"]
mod throughput;

/// One test for each case of the suite; `$open` makes an empty store in a folder.
macro_rules! conformance {
    ($open:path) => {
        conformance!(
            $open,
            crate::organizations,
            versions_of_an_organization_are_kept_and_none_is_written_over,
            h3_a_role_is_taken_up_once,
            tokens_read_back_as_written_until_they_end,
            a_head_counts_up_by_one,
            people_of_a_domain_are_read_page_by_page,
            events_of_an_organization_are_read_backwards
        );
        conformance!(
            $open,
            crate::deletions,
            a_deletion_is_taken_back_to_what_was_before,
            a_tombstone_matches_for_good_and_says_nothing
        );
        conformance!(
            $open,
            crate::grants,
            a_grant_is_due_from_its_time_and_goes_with_its_session,
            of_two_processes_one_asks_and_its_answer_alone_counts,
            a_lease_that_is_over_binds_nobody_and_its_process_changes_nothing
        );
        conformance!(
            $open,
            crate::relinks,
            a_window_is_found_until_it_ends,
            a_link_moves_once_and_is_taken_back_once,
            what_cannot_be_taken_back_any_more_is_swept,
            h17_of_a_restored_store_nothing_that_stood_is_left,
            t37_a_product_is_closed_to_a_user_once,
            t37_an_enterprise_switches_its_members_alone_and_opens_what_it_closed
        );
        conformance!(
            $open,
            crate::scim,
            users_of_a_directory_are_found_by_its_names_and_by_nobody_elses,
            a_user_is_changed_only_as_it_was_read,
            h4_a_group_has_users_of_its_own_directory_alone
        );
        conformance!(
            $open,
            crate::migrations,
            a_record_is_moved_only_from_where_it_stands,
            an_identity_moves_one_record_and_merges_others_into_it,
            links_of_a_person_go_together_and_addresses_that_were_asserted_pass_on,
            a_record_moves_once_and_an_identity_moves_one,
            h14_all_links_of_an_account_but_one_go,
            h19_an_address_is_freed_of_the_user_id_that_it_was_asserted_for,
            b21_an_account_is_put_aside_whole_as_it_was_read_and_kept_for_its_time,
            a_move_goes_on_from_where_it_was_read,
            l09_of_a_profile_the_newest_version_is_told,
            records_with_a_password_are_read_page_by_page,
            t17_an_address_that_was_given_up_is_its_last_records
        );
        conformance!(
            $open,
            crate::credentials,
            a_password_moves_one_generation_at_a_time,
            a_second_step_is_used_once,
            a_recovery_code_is_used_once,
            a_mailbox_proof_has_so_many_tries_and_one_end,
            c3_an_address_is_one_records_at_a_product_and_finds_its_person,
            m14_attempts_are_counted_until_their_time,
            h18_the_local_share_counts_records_by_state
        );
        conformance!(
            $open,
            crate::cases,
            a_mark_is_taken_once,
            of_racing_marks_one_is_first,
            of_racing_links_one_is_made,
            of_racing_product_accounts_one_is_made,
            a_batch_that_conflicts_leaves_nothing,
            people_read_back_as_written,
            links_and_product_accounts_read_back_as_written,
            sessions_read_back_as_written,
            h16_an_apps_session_turns_once_from_where_it_stands,
            a_personal_tokens_session_reads_back_as_written,
            the_gateways_own_rows_read_back_as_written,
            ending_a_login_session_ends_its_children,
            login_sessions_are_read_page_by_page,
            a_status_change_raises_the_epoch_and_ends_sessions,
            a_product_asks_until_it_is_told_not_to,
            the_feed_is_ordered_and_complete,
            the_nudge_comes_after_the_row_is_visible,
            the_log_has_one_position_per_event_in_commit_order,
            events_are_found_by_reference,
            events_are_found_by_the_person_they_are_about,
            last_activity_only_moves_forward,
            a_sweep_takes_what_is_a_day_past_its_time,
            a_closed_store_answers_unavailable
        );
        conformance!(
            $open,
            crate::outbox,
            a_letter_waits_until_it_was_sent,
            a_letter_is_in_the_language_of_whoever_has_its_address,
            of_two_nodes_one_sends,
            h12_a_dead_letter_says_nothing_any_more,
            m13_a_limit_holds_letters_back_and_not_their_batch,
            m13_an_occasion_counts_once_for_all_its_letters,
            of_racing_letters_no_more_are_queued_than_may_be
        );
        conformance!(
            $open,
            crate::domains,
            a_proof_reads_back_as_written,
            of_two_nodes_one_writes_a_proof,
            c6_one_organization_holds_a_domain,
            what_is_over_is_not_checked
        );
        conformance!(
            $open,
            crate::providers,
            m5_what_a_provider_said_is_retired_with_its_directory_and_who_it_is_stays,
            m5_a_process_that_follows_forgets_what_it_read_of_a_directory_that_went,
            m17_what_is_remembered_of_a_demonstration_or_by_one_of_another_provider_is_not_believed
        );
    };
    ($open:path, $cases:path, $($case:ident),+) => {
        $(#[test]
        fn $case() {
            let folder = crate::fixtures::Folder::new();
            let store = $open(folder.path());
            crate::fixtures::block_on(async {
                use $cases as cases;
                cases::$case(std::sync::Arc::clone(&store)).await;
                store.close().await;
            });
        })+
    };
}

mod sqlite {
    conformance!(crate::file::open);
}

mod postgresql {
    conformance!(crate::postgres::open);
}
