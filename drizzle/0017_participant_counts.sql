-- compatible since: 0002_store_messages_by_key
-- no transaction
CALL count_participants();
