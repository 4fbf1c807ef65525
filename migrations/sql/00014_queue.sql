-- +goose Up

-- River indexes every word of a job's arguments and metadata, twice a job: as it is staged and
-- as it is completed. Nothing here looks jobs up by these, and they were the largest single
-- cost of an event.
DROP INDEX IF EXISTS river_job_args_index;
DROP INDEX IF EXISTS river_job_metadata_index;
