//! What the keys of events mean, as products write them: lower case, letters and digits alone.

/// What was asked for: nothing in it is left out.
pub(super) const PARAMETERS: [&str; 22] = [
    "args",
    "arguments",
    "body",
    "changedetails",
    "changes",
    "config",
    "extendedproperties",
    "modifiedproperties",
    "objectref",
    "operationproperties",
    "parameters",
    "params",
    "policy",
    "policydocument",
    "request",
    "requestbody",
    "requestobject",
    "requestparameters",
    "resource",
    "resources",
    "target",
    "targets",
];

/// The same, in Microsoft's word.
pub(super) const TARGETS: &str = "targetresources";

/// What was answered: ids in it are new each time, and the request says what they are of.
pub(super) const RESPONSES: [&str; 3] = ["response", "responseelements", "responseobject"];

/// Circumstances of whoever asked.
pub(super) const CIRCUMSTANCES: [&str; 5] = [
    "dthash",
    "eventversion",
    "geographicalcontext",
    "geolocation",
    "tlsdetails",
];

/// Agents, as products write them: told without version numbers.
pub(super) const AGENTS: [&str; 4] = ["agentstring", "httpuseragent", "rawuseragent", "useragent"];

/// Moments.
pub(super) const TIMES: [&str; 48] = [
    "activitydatetime",
    "contexttimestamp",
    "crawltimestamp",
    "createdat",
    "createddatetime",
    "createdtimestamp",
    "creationdate",
    "creationtime",
    "end",
    "endtime",
    "endtimeutc",
    "eventcreated",
    "eventfirstseen",
    "eventlastseen",
    "eventreceivedtime",
    "eventtime",
    "ingested",
    "ingestedat",
    "intendedtimestamp",
    "lastdetected",
    "lastseen",
    "originaltime",
    "peventtime",
    "pparsetime",
    "previoustime",
    "processingendtime",
    "published",
    "receivedat",
    "receivetimestamp",
    "requestreceivedtimestamp",
    "requesttime",
    "scheduletime",
    "stagetimestamp",
    "start",
    "starttime",
    "starttimeutc",
    "systemtime",
    "time",
    "timecreated",
    "timegenerated",
    "timelocal",
    "timestamp",
    "ts",
    "updatedat",
    "updatedatetime",
    "updatedtimestamp",
    "utctime",
    "when",
];

/// Keys of ids under which some products put a code: only what is long is an id there.
pub(super) const MAYBE_CODES: [&str; 6] = [
    "activityid",
    "alertid",
    "documentid",
    "eventid",
    "messageid",
    "recordid",
];

/// Ids.
pub(super) const IDS: [&str; 43] = [
    "aggregateid",
    "alertlink",
    "amznrequestid",
    "apirequestid",
    "auditid",
    "communityid",
    "compositeid",
    "conversationid",
    "correlationid",
    "deliveryid",
    "eventguid",
    "eventuid",
    "externalsessionid",
    "falconhostlink",
    "flowid",
    "insertid",
    "internetmessageid",
    "logonguid",
    "networkmessageid",
    "parentprocessguid",
    "processguid",
    "provideralertid",
    "prowid",
    "reportid",
    "requestid",
    "rootsessionid",
    "rowid",
    "sessionguid",
    "sessionid",
    "sharedeventid",
    "sourceprocessguid",
    "spanid",
    "systemalertid",
    "targetprocessguid",
    "traceid",
    "transactionid",
    "treeid",
    "triggeringprocessgraphid",
    "uniquequalifier",
    "uniquetokenidentifier",
    "uuid",
    "vendororiginalid",
    "xamzid2",
];

/// Numbers that the machine counts up, and ports that the asking side draws.
pub(super) const DRAWN: [&str; 22] = [
    "clientport",
    "eventrecordid",
    "executionprocessid",
    "firedtimes",
    "logonid",
    "newprocessid",
    "parentprocessid",
    "pid",
    "ppid",
    "processid",
    "recordnumber",
    "sequence",
    "sequencenumber",
    "sourceport",
    "spt",
    "srcport",
    "subjectlogonid",
    "targetlogonid",
    "threadid",
    "tid",
    "eventcount",
    "initiatingprocessid",
];

/// Fewest characters of a long id.
pub(super) const LONG: usize = 16;

/// Where free text stands, which begins with a time and a process number on many machines.
pub(super) const TEXTS: [&str; 11] = [
    "displaymessage",
    "fulllog",
    "log",
    "message",
    "msg",
    "original",
    "previousoutput",
    "raw",
    "rawlog",
    "rawmessage",
    "syslog",
];

/// Where AWS names the session of a role, which programs draw anew each time.
pub(super) const SESSIONS: [&str; 3] = ["arn", "principalid", "userarn"];
