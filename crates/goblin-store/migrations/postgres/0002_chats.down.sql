DROP TABLE turns;
DROP TABLE chats;
