-- Records are readable text of some kilobytes: compressed they take half of the room. A server without lz4 keeps them as they are,
-- since its other way takes longer than it saves.
DO $$
BEGIN
    ALTER TABLE closure_records ALTER COLUMN leaf SET COMPRESSION lz4;
    ALTER TABLE closure_records ALTER COLUMN leaf SET STORAGE MAIN;
    ALTER TABLE closure_records RESET (toast_tuple_target);
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
