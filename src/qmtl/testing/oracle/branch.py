"""The branches of the rules that the oracle counts, one name for each; a random run must take every one of them."""

from __future__ import annotations

BRANCHES = """
E1.negative_bucket E1.negative_time
E2.finished E2.nothing_seen E2.strict E2.structural E2.ticks
E3.lateness_of_bars E3.lateness_of_ticks E3.never_back E3.slowest_decides
E4.equality_closes E4.past_the_end E4.several_ascending
E5.bucket_that_is_no_row E5.rows_nan_where_optional_has_none E5.rows_of_coarser E5.rows_of_finer E5.rows_of_own
E5.rows_over_a_hole E5.time_of_coarser E5.time_of_finer E5.time_of_own E5.time_of_tick E5.value
E5.warm_up_bars_of_other_interval E5.warm_up_input E5.warm_up_rows E5.warm_up_time
E6.absent_coarser E6.absent_finer E6.absent_own E6.absent_tick E6.bars_record_no_gaps E6.closed_after_halt E6.fail
E6.function_gave_none E6.function_raised E6.incomplete_finer_by_rows E6.incomplete_finer_by_time
E6.incomplete_own_by_time E6.incomplete_tick_by_time E6.nothing_present E6.optional_absent E6.skip
E7.duplicate E7.duplicate_of_side_output E7.duplicate_that_would_be_late E7.ignored_is_not_remembered E7.revision
E7.revision_greater E7.revision_moves_event E7.revision_overtaken
E8.bar_corrected E8.bar_fills_a_hole E8.behind_watermark_but_open E8.correction_of_a_reader_of_nodes
E8.correction_raised E8.equal_bits E8.equal_nan E8.gap_retracts_null E8.in_time_but_its_reader_had_closed
E8.input_withdrawn E8.late_ignore E8.late_recompute E8.late_side_output E8.nothing_moved E8.null_retracts_null
E8.rows_withdrawn E8.scan_equal_output E8.scan_replayed E8.still_no_value E8.value_to_null E8.value_to_value
E8.warm_up_to_gap E8.warm_up_to_value
E9.ignore_whatever_H E9.late_within_H E9.side_output_whatever_H E9.too_late
E10.before_origin E10.frontier_is_a_maximum E10.refused_event_wakes_its_source
E11.active_again E11.flush E11.hold E11.idle E11.idle_is_not_waited_for E11.not_yet_idle
E12.corrections_before_closing
E14.before_origin E14.duplicate E14.late_dropped E14.side_output E14.too_late E14.used
E17.nan_is_a_value
""".split()
