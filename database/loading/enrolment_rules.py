"""The rules by which rows of a file of enrolments are judged, as statements over the staging table."""

from typing import Final

# Of two names of one person the file does not say which is right: every row of a person new to us with
# two names is refused. A person whom we know keeps the name that the register has.
_JUDGE_ROWS: Final = """
    WITH two_named AS (
        SELECT n.resident_id_index
        FROM (SELECT DISTINCT resident_id_index, name_index FROM staged_enrolments WHERE verdict IS NULL) AS n
        GROUP BY n.resident_id_index
        HAVING count(*) > 1
    ),

    judged AS (
        SELECT
            s.line,
            CASE
                WHEN p.name_index <> s.name_index THEN 'NAME_DIFFERS'
                WHEN p.id IS NULL AND t.resident_id_index IS NOT NULL THEN 'NAME_DIFFERS'
                WHEN a.code IS NULL THEN 'UNKNOWN_POOLING_AREA'
            END AS verdict
        FROM staged_enrolments AS s
        LEFT JOIN payers AS p ON s.resident_id_index = p.resident_id_index
        LEFT JOIN two_named AS t ON s.resident_id_index = t.resident_id_index
        LEFT JOIN pooling_areas AS a ON s.pooling_area = a.code
        WHERE s.verdict IS NULL
    )

    UPDATE staged_enrolments AS s SET verdict = j.verdict
    FROM judged AS j WHERE s.line = j.line AND j.verdict IS NOT NULL
"""

# The same row again says nothing new.
_JUDGE_REPEATED: Final = """
    WITH repeated AS (
        SELECT resident_id_index, insurance, months, pooling_area, min(line) AS first_line
        FROM staged_enrolments
        WHERE verdict IS NULL
        GROUP BY resident_id_index, insurance, months, pooling_area
        HAVING count(*) > 1
    )

    UPDATE staged_enrolments AS s SET verdict = 'UNCHANGED'
    FROM repeated AS r
    WHERE
        s.verdict IS NULL AND s.resident_id_index = r.resident_id_index AND s.insurance = r.insurance
        AND s.months = r.months AND s.pooling_area = r.pooling_area AND s.line > r.first_line
"""

# What a person's enrolments in one insurance will be: the file's rows, and those of the register that no row
# replaces. When they overlap, all of the file's rows for them are refused: to take over some would mean
# to choose which of them replaces what.
_JUDGE_OVERLAPS: Final = """
    WITH affected AS (
        SELECT DISTINCT s.resident_id_index, p.id AS payer_id, s.insurance
        FROM staged_enrolments AS s
        LEFT JOIN payers AS p ON s.resident_id_index = p.resident_id_index
        WHERE s.verdict IS NULL
    ),

    future AS (
        SELECT s.resident_id_index, s.insurance, s.months
        FROM staged_enrolments AS s
        WHERE s.verdict IS NULL
        UNION ALL
        SELECT a.resident_id_index, a.insurance, e.months
        FROM affected AS a
        INNER JOIN enrolments AS e ON a.payer_id = e.payer_id AND a.insurance = e.insurance
        WHERE NOT EXISTS (
            SELECT 1 FROM staged_enrolments AS s
            WHERE
                s.verdict IS NULL AND s.resident_id_index = a.resident_id_index
                AND s.insurance = a.insurance AND s.first_month = lower(e.months)
        )
    ),

    overlapping AS (
        SELECT DISTINCT o.resident_id_index, o.insurance
        FROM (
            SELECT
                f.resident_id_index,
                f.insurance,
                -- In the order of their beginnings, enrolments overlap when one overlaps its next.
                f.months && lead(f.months) OVER (
                    PARTITION BY f.resident_id_index, f.insurance ORDER BY lower(f.months)
                ) AS overlaps
            FROM future AS f
        ) AS o
        WHERE o.overlaps
    )

    UPDATE staged_enrolments AS s SET verdict = 'OVERLAPS_ENROLMENT'
    FROM overlapping AS o
    WHERE s.verdict IS NULL AND s.resident_id_index = o.resident_id_index AND s.insurance = o.insurance
"""

# Only now: a row that says what the register has may still contradict another row of the file.
#
# The outer joins keep the planner on the way by the person. It takes the other columns for independent of
# one another, and would rather join a million rows by insurance and month.
_JUDGE_UNCHANGED: Final = """
    WITH judged AS (
        SELECT
            s.line,
            CASE WHEN e.months = s.months AND e.pooling_area = s.pooling_area THEN 'UNCHANGED' END AS verdict
        FROM staged_enrolments AS s
        LEFT JOIN payers AS p ON s.resident_id_index = p.resident_id_index
        LEFT JOIN enrolments AS e
            ON p.id = e.payer_id AND s.insurance = e.insurance AND s.first_month = lower(e.months)
        WHERE s.verdict IS NULL
    )

    UPDATE staged_enrolments AS s SET verdict = j.verdict
    FROM judged AS j WHERE s.line = j.line AND j.verdict IS NOT NULL
"""

IN_ORDER: Final = (_JUDGE_ROWS, _JUDGE_REPEATED, _JUDGE_OVERLAPS, _JUDGE_UNCHANGED)
