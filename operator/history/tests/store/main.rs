//! How the store behaves: one suite of cases, run on Postgres and on SQLite, and what only one of them has.
//!
//! `HEARTH_TEST_POSTGRES` is the DSN of a server in which databases may be made; each test makes its own and drops it.
//! Without it those tests fail: a store that nobody tried is not tested.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

mod cases;
mod harness;
mod postgres_only;
mod rows;
mod sqlite_only;

/// Makes each case a test of each back end, as `postgres::FILE::CASE` and `sqlite::FILE::CASE`. A case that stands in
/// no list is dead code, which the compiler says.
macro_rules! suite {
    (empty { $($empty:tt)* } migrated { $($migrated:tt)* }) => {
        mod postgres {
            suite!(@files with_empty_postgres $($empty)*);
            suite!(@files with_postgres $($migrated)*);
        }
        mod sqlite {
            suite!(@files with_empty_sqlite $($empty)*);
            suite!(@files with_sqlite $($migrated)*);
        }
    };
    (@files $with:ident $($file:ident { $($case:ident,)* })*) => {
        $(mod $file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::harness::$with(crate::cases::$file::$case).await;
            })*
        })*
    };
}

suite! {
    empty {
        schema {
            migrating_twice_and_at_once_is_harmless,
            without_the_schema_the_store_is_not_healthy,
            batches_wait_for_the_schema,
            workflow_runs_speaks_the_words_of_the_contract,
        }
    }
    migrated {
        artifacts {
            rows_keep_blobs_and_tell_them_by_name,
        }
        audit {
            each_record_holds_the_hash_of_the_one_before,
            a_clock_that_goes_back_does_not_turn_a_chain_round,
            the_trail_is_listed_newest_first,
            nobody_changes_or_deletes_a_record,
            what_is_changed_behind_our_back_is_found,
            old_chains_go_and_anchors_vouch_for_them,
            many_at_once_are_one_chain_per_writer,
        }
        exports {
            a_run_waits_for_each_target_with_its_start_and_its_end,
            without_targets_nothing_waits,
            a_truer_end_is_told_again,
            reported_runs_are_told_too,
            whoever_is_no_target_any_more_waits_for_nothing,
        }
        lineage {
            lineage_is_read_both_ways,
            lineage_is_kept_once_and_goes_with_its_run,
            equal_bytes_of_other_runs_are_not_taken_for_the_cause,
            lineage_is_bounded_and_says_so,
            lineage_keeps_to_its_namespace,
            a_bad_row_of_lineage_is_a_letter_and_the_rest_goes_on,
        }
        logs {
            a_whole_log_is_told_with_its_attempt,
            a_stored_log_stays_as_it_is,
            a_log_keeps_its_blob_and_goes_with_its_run,
        }
        ordering {
            a_late_row_changes_nothing,
            a_repeated_final_batch_is_acknowledged_again_and_writes_nothing,
            terminal_is_terminal,
            an_event_is_kept_as_it_was_first,
            attempts_and_items_are_rows_of_their_own,
            a_batch_larger_than_a_flush_is_stored_whole,
            any_order_in_any_flush_ends_alike,
        }
        queries {
            paging_is_exact_under_equal_times,
            new_runs_do_not_move_a_page,
            a_page_has_between_one_and_five_hundred_rows,
            each_filter_narrows,
            a_run_is_read_back_whole,
            steps_come_in_the_order_of_their_start,
            events_come_in_the_order_of_time_and_seq,
            a_log_is_that_of_the_attempt_or_of_the_last_that_has_one,
        }
        refusal {
            a_bad_row_is_found_among_many_and_the_rest_goes_on,
            a_refused_run_is_stored_in_minimal_form_and_that_is_its_ack,
            every_way_a_run_row_can_be_bad_ends_in_a_row,
            a_run_id_that_is_none_ends_as_a_letter_with_an_ack,
            the_same_bad_row_again_counts_up,
            odd_text_is_stored_and_read_back,
            numbers_of_any_size_are_read_back,
            json_of_any_shape_is_stored,
        }
        reports {
            a_reported_run_is_one_row_however_often_it_is_told,
            first_reports_at_once_are_one_run,
            reported_runs_and_those_of_the_operator_keep_apart,
            workflow_runs_shows_reported_runs_under_their_own_ids,
        }
        sweep {
            only_open_runs_of_the_cluster_that_rest_long_enough_are_listed,
            the_list_of_open_runs_has_no_end_of_page,
            vanished_gives_way_once_to_a_true_end,
            under_a_tombstone_rows_are_dropped_and_acknowledged,
        }
        retention {
            what_is_too_old_goes_with_all_its_rows,
            what_is_too_old_is_acknowledged_and_not_written,
            old_dead_letters_go,
        }
        usage {
            requests_times_time_by_namespace_and_owner,
        }
        work {
            the_newest_success_is_found_by_its_key,
            work_of_other_namespaces_is_not_found,
            what_was_taken_over_is_no_work_of_its_own,
            work_goes_with_the_retention_of_its_run,
        }
        writing {
            the_last_flush_is_stored_before_the_writer_ends,
            a_locked_store_is_waited_for_without_blocking_for_ever,
            a_store_that_was_never_there_is_made_without_it,
        }
    }
}

/// By what the test binary itself lists, so that no case is left out on one side by whatever means.
#[test]
fn both_back_ends_run_the_same_cases() {
    let listed = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format=terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of = |back_end: &str| -> Vec<String> {
        listed
            .lines()
            .filter_map(|line| line.strip_prefix(back_end)?.strip_suffix(": test").map(str::to_owned))
            .collect()
    };
    let (postgres, sqlite) = (of("postgres::"), of("sqlite::"));
    println!("{} cases on each back end", postgres.len());
    assert_eq!(postgres.len(), sqlite.len());
    assert_eq!(postgres, sqlite);
    assert!(postgres.len() >= 30, "only {} cases", postgres.len());
}
